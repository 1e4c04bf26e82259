"""Django's settings, derived from the environment."""

import logging
from datetime import timedelta

from django.templatetags.static import static
from django.utils.csp import CSP

from sms_backend.console.navigation import account, menu
from sms_backend.core.environment import environment
from sms_backend.core.logs import configure

SECRET_KEY = environment.smsgw_secret_key.get_secret_value()
SECRET_KEY_FALLBACKS = environment.secret_key_fallbacks
DEBUG = False
ALLOWED_HOSTS = [host.strip() for host in environment.smsgw_allowed_hosts.split(",")]
INSTALLED_APPS = [
    # Before unfold, some of whose templates it takes the place of.
    "sms_backend.console",
    "unfold.apps.BasicAppConfig",
    "sms_backend.console.apps.SiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "ninja",
    "sms_backend.accounts",
    "sms_backend.routing",
    "sms_backend.messages",
    "sms_backend.pipeline",
    "django_otp",
    "axes",
]
MIDDLEWARE = [
    "sms_backend.history.edge.Edge",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # The last one: it turns a refused sign-in into its page.
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "sms_backend.config.urls"
WSGI_APPLICATION = "sms_backend.config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": environment.django_database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
CONSOLE_REQUIRES_TWO_FACTOR = environment.smsgw_console_two_factor
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_PARAMETERS = ["ip_address"]
AXES_LOCKOUT_TEMPLATE = "429.html"
AXES_CLIENT_IP_CALLABLE = "sms_backend.console.audit.address_of"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "sms_backend.console.formats"
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not environment.smsgw_development
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = not environment.smsgw_development
#: Probes and scrapers ask the process itself; clients of the history are answered as the gateway answers them.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$", r"^v1/"]
SECURE_HSTS_SECONDS = 0 if environment.smsgw_development else 31_536_000
#: Other names below ours, and the lists that browsers ship with, are the operator's to decide about.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
#: A working day: whoever forgets to sign out is signed out by the next.
SESSION_COOKIE_AGE = 12 * 3600
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CSP = {
    "default-src": [CSP.NONE],
    # Alpine, which unfold is made with, evaluates the expressions in its attributes: docs/adr/0017.
    "script-src": [CSP.SELF, CSP.UNSAFE_EVAL],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
LOGGING_CONFIG = None
UNFOLD = {
    "SITE_TITLE": "SMS Gateway",
    "SITE_HEADER": "SMS Gateway",
    "SITE_SYMBOL": "sms",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("console/favicon.svg")}],
    "STYLES": [lambda _: static("console/console.css")],
    "SCRIPTS": [lambda _: static("console/console.js")],
    # Indigo; the fifth shade is light enough for text on the dark theme, the sixth dark enough for it on the light one.
    "COLORS": {
        "primary": {
            "50": "#eef2ff",
            "100": "#e0e7ff",
            "200": "#c7d2fe",
            "300": "#a5b4fc",
            "400": "#949ffb",
            "500": "#818cf8",
            "600": "#4f46e5",
            "700": "#4338ca",
            "800": "#3730a3",
            "900": "#312e81",
            "950": "#1e1b4b",
        }
    },
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "GLOBAL_CALLBACK": "sms_backend.console.admin.pauses.banner",
    "DASHBOARD_CALLBACK": "sms_backend.console.admin.dashboard.index",
    "SITE_URL": None,
    "ACCOUNT": {"navigation": account},
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": menu,
    },
}

configure(environment.smsgw_log_level)
#: What it would say of every sign-in is in the audit trail.
logging.getLogger("axes").setLevel(logging.WARNING)
