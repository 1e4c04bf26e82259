"""Every path of Server B."""

from django.templatetags.static import static
from django.urls import path
from django.views.generic import RedirectView

from sms_backend.console import admin as pages
from sms_backend.console import views
from sms_backend.history.api import api

handler500 = views.failed
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("favicon.ico", RedirectView.as_view(url=static("console/favicon.svg"))),
    path("healthz", views.healthz),
    path("readyz", views.readyz),
    path("metrics", views.metrics),
    path("v1/history/", api.urls),
    path("console/", pages.site.urls),
]
