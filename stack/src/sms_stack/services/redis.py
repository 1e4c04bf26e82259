"""A private Redis: append-only file each second, never evicting."""

import shutil
from dataclasses import dataclass
from typing import ClassVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from sms_stack.credentials import Credentials
from sms_stack.errors import MissingProgram
from sms_stack.home import Home, write_private
from sms_stack.programs import Program

NAME = "redis"
PACKAGE = "redis-server"


def binary() -> str | None:
    return shutil.which("redis-server")


@dataclass(frozen=True, kw_only=True)
class PrivateRedis:
    program_names: ClassVar = (NAME,)

    home: Home
    credentials: Credentials
    port: int

    @property
    def url(self) -> str:
        return f"redis://:{self.credentials.redis}@127.0.0.1:{self.port}/0"

    def configuration(self) -> str:
        return "\n".join(
            [
                "bind 127.0.0.1",
                f"port {self.port}",
                "protected-mode yes",
                f"requirepass {self.credentials.redis}",
                f'dir "{self.home.data / "redis"}"',
                "daemonize no",
                "appendonly yes",
                "appendfsync everysec",
                # Four times the default: a file of that size is read again in a few seconds, while to rewrite a small one over and over,
                # as it grows, costs a third more processor time a message.
                "auto-aof-rewrite-min-size 256mb",
                "maxmemory-policy noeviction",
                'save ""',
                "tcp-keepalive 60",
                'logfile ""',
                "",
            ]
        )

    def prepare(self) -> None:
        (self.home.data / "redis").mkdir(parents=True, exist_ok=True)
        write_private(self.home.run / "redis.conf", self.configuration())

    def programs(self) -> list[Program]:
        server = binary()
        if server is None:
            raise MissingProgram("redis-server is not installed.")
        return [Program(name=NAME, command=(server, str(self.home.run / "redis.conf")), stop_seconds=20)]


def trouble(url: str) -> str | None:
    """Why Redis does not answer at `url`, or None when it does; loading its file counts as not yet."""
    client = Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0))
    try:
        client.ping()
    except (RedisError, OSError) as error:
        return str(error)
    finally:
        client.close()
    return None
