import js from '@eslint/js'
import globals from 'globals'

export default [
    { ignores: ['node_modules/'] },
    js.configs.recommended,
    {
        languageOptions: { ecmaVersion: 2023, sourceType: 'module', globals: globals.node },
        linterOptions: { reportUnusedDisableDirectives: 'error' },
        rules: {
            eqeqeq: ['error', 'always', { null: 'ignore' }],
            'no-unused-vars': ['error', { argsIgnorePattern: '^_', caughtErrors: 'none' }],
            'no-var': 'error',
            'prefer-const': 'error',
            complexity: ['error', 15],
            'max-lines': ['error', 400],
            'max-len': ['error', { code: 120, ignoreUrls: true }]
        }
    }
]
