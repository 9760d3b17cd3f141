/**
 * Between the engine and the socket: nothing leaves before the commits that preceded it are on disk (credentials, what
 * was derived from a stanza that is about to be acknowledged), and after the end nothing leaves at all.
 */
export class Outgoing {
    /** @type {({send: () => void} | {barrier: Promise<void>})[]} */
    #waiting = []
    #running = false
    #closed = false

    /**
     * Take the place of `send` of the WebSocket below the engine's own.
     * @param {{send: (...args: any[]) => void}} socket
     */
    install(socket) {
        const send = socket.send.bind(socket)
        socket.send = (...args) => {
            if (this.#closed) return
            if (this.#running) this.#waiting.push({ send: () => send(...args) })
            else send(...args)
        }
    }

    /**
     * What is sent from now on waits for this.
     * @param {Promise<void>} barrier
     */
    hold(barrier) {
        this.#waiting.push({ barrier })
        void this.#run()
    }

    /**
     * Do this when everything so far has left.
     * @param {() => void} work
     */
    after(work) {
        if (this.#running) this.#waiting.push({ send: work })
        else work()
    }

    /** Nothing leaves any more, what waits included. */
    close() {
        this.#closed = true
        this.#waiting = []
    }

    async #run() {
        if (this.#running) return
        this.#running = true
        for (let next; !this.#closed && (next = this.#waiting.shift());) {
            if ('barrier' in next) await next.barrier
            else next.send()
        }
        this.#running = false
    }
}
