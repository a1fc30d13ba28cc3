"""Django's settings, where it matters from environment variables. Yours.

On Modal the variables come from a Secret or from `env=` in modal_app.py.
https://docs.djangoproject.com/en/5.2/ref/settings/
"""

import os

SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
DEBUG = False
LOG_LEVEL = os.environ.get("LOG_LEVEL", "INFO")

# Names under which requests may come: here, from Modal, and domains of your own, separated by commas.
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", ".modal.run"]
ALLOWED_HOSTS += os.environ.get("ALLOWED_HOSTS", "").replace(",", " ").split()

# The only names under which it answers, `*.example.org` for all below one, separated by commas. Empty: the ones above.
ENFORCED_HOSTS = os.environ.get("ENFORCED_HOSTS", "").replace(",", " ").split()
# Origins whose pages may call this application from a browser, as https://app.example.com, separated by commas.
CORS_ORIGINS = os.environ.get("CORS_ORIGINS", "").replace(",", " ").split()

# A larger request is refused with 413. Modal itself would pass 4 GiB on.
DATA_UPLOAD_MAX_MEMORY_SIZE = int(os.environ.get("MAX_BODY_BYTES", "1000000"))
# More requests at once are refused with 503. Modal sends no more than max_inputs in modal_app.py.
MAX_IN_FLIGHT = int(os.environ.get("MAX_IN_FLIGHT", "50"))

# No database and no sessions: what a container writes to its disk goes with it.
ROOT_URLCONF = f"{__package__}.web"
APPEND_SLASH = False
MIDDLEWARE = [
    f"{__package__}.errors.JsonErrors",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

# logs.py formats what is logged, and middleware.py answers where a view fails.
LOGGING_CONFIG = None
DEBUG_PROPAGATE_EXCEPTIONS = True

SILENCED_SYSTEM_CHECKS = [
    # Forged requests live on cookies, and there are none. Remove this when you add some.
    "security.W003",
    # HTTPS ends at Modal's edge, the only way in. Here a request may look like plain HTTP, and a header
    # that says otherwise could be anybody's: HSTS and a redirect to HTTPS are not for the application.
    "security.W004",
    "security.W008",
]
