"""Every page of the console that has an address of its own: what the checks on all pages go through."""

PAGES = {
    "dashboard": "/console/",
    "messages": "/console/sms_messages/message/",
    "parked": "/console/sms_messages/parked/",
    "clients": "/console/accounts/client/",
    "a new client": "/console/accounts/client/add/",
    "keys": "/console/accounts/apikey/",
    "a new key": "/console/accounts/apikey/add/",
    "providers": "/console/routing/provider/",
    "vendors": "/console/routing/provider/add/",
    "a new provider": "/console/routing/provider/add/?adapter=twilio",
    "a provider": "/console/routing/provider/northwind/change/",
    "audit trail": "/console/console/auditentry/",
    "profile": "/console/profile/",
    "password": "/console/password_change/",
    "two-factor sign-in": "/console/login/set-up/",
    "users": "/console/auth/user/",
    "a new user": "/console/auth/user/add/",
}
