"""Who there is in the tests of the inbox: two accounts, and everybody who may or may not look at them."""

SHOP = "account_test_0a"
"""An account that staff look after."""
BOSS = "account_test_0b"
"""An account that is listed in `adminOnlyAccountIds`."""

STAFF = {"sub": "staff-1", "email": "staff@example.com", "email_verified": True}
SHOP_OWNER = {"sub": "owner-of-shop"}
BOSS_OWNER = {"sub": "owner-of-boss"}
ADMIN = {"sub": "admin-1", "email": "admin@example.com", "email_verified": True}
UNVERIFIED = {"sub": "liar-1", "email": "admin@example.com", "email_verified": False}
STRANGER = {"sub": "stranger-1", "email": "stranger@example.com", "email_verified": True}
NOBODY = None

PEOPLE = {
    "staff": STAFF,
    "owner of the shop's account": SHOP_OWNER,
    "owner of an account for admins only": BOSS_OWNER,
    "super-admin": ADMIN,
    "one who claims the super-admin's address": UNVERIFIED,
    "stranger": STRANGER,
    "nobody": NOBODY,
}

CONFIG = {"adminOnlyAccountIds": [BOSS], "superAdminEmails": ["admin@example.com"]}
DIRECTORY = {
    "config/whatsapp_inbox": CONFIG,
    "staffProfiles/staff-1": {"name": "Staff"},
    "users/owner-of-shop": {"myWhatsAppAccountId": SHOP},
    "users/owner-of-boss": {"myWhatsAppAccountId": BOSS},
    "users/stranger-1": {"fcmToken": "t"},
    "users/staff-1": {"fcmToken": "t"},
}
"""What operators and the app's own backend write about people."""
