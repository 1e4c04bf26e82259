"""What would break each promise, and the scenarios that must then fail. A proof that cannot fail proves nothing."""

from chaos.mutations import accepting, sending, storing, telling
from chaos.mutations.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = tuple(one for part in (accepting, storing, sending, telling) for one in part.MUTATIONS)
BY_NAME = {mutation.name: mutation for mutation in MUTATIONS}
