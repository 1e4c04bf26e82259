"""Roles as Django's groups, whose permissions follow the code at each `migrate`."""

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.db import connection, transaction

from sms_backend.console.rights import ROLES


def write_roles() -> None:
    """Make the groups what `ROLES` says; may be run at any time."""
    groups = apps.get_model("auth", "Group").objects
    if groups.model._meta.db_table not in connection.introspection.table_names():  # noqa: SLF001 - Django's public-in-all-but-name
        return  # a `migrate` of some apps alone, before auth's
    grants = groups.model.permissions.through.objects
    with transaction.atomic():
        permissions = _permissions()
        groups.bulk_create([groups.model(name=role.value) for role in ROLES], ignore_conflicts=True)
        ids = dict(groups.filter(name__in=[role.value for role in ROLES]).values_list("name", "id"))
        wanted = {(ids[role.value], permissions[str(right)]) for role, rights in ROLES.items() for right in rights}
        there = set(grants.filter(group_id__in=ids.values()).values_list("group_id", "permission_id"))
        grants.bulk_create([grants.model(group_id=group, permission_id=permission) for group, permission in sorted(wanted - there)])
        for group, permission in there - wanted:
            grants.filter(group_id=group, permission_id=permission).delete()


def _permissions() -> dict[str, int]:
    """Permission, in Django's spelling, to its id; those of apps that were not asked to make theirs yet are made now."""
    wanted = {str(right) for rights in ROLES.values() for right in rights}
    rows = apps.get_model("auth", "Permission").objects.values_list("id", "content_type__app_label", "codename")
    known = {f"{app}.{codename}": identity for identity, app, codename in rows}
    missing = {right.partition(".")[0] for right in wanted - known.keys()}
    if not missing:
        return known
    for label in missing:
        create_permissions(apps.get_app_config(label), verbosity=0)
    return {f"{app}.{codename}": identity for identity, app, codename in rows.all()}
