"""A real Apache Kafka broker for tests: one node, on loopback, its jars from Maven Central through ``tests/kafka/pom.xml``.

Each test process that asks for one has its own (started once, in a few seconds), so that a test may kill it. ``WATCHFLOOR_TEST_KAFKA``
names a plain-text listener of a broker that is there already; tests of encryption, passwords and crashes are left out then.
"""

import asyncio
import fcntl
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import trustme
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

REPOSITORY = Path(__file__).resolve().parent.parent
POM = REPOSITORY / "tests" / "kafka" / "pom.xml"
USER, PASSWORD = "app", "app-secret-of-the-tests"
STRANGER, STRANGERS_PASSWORD = "stranger", "stranger-secret-of-the-tests"
"""A user whom the broker knows and who may do nothing."""
START_S = 60.0
CLUSTER = "d2F0Y2hmbG9vci10ZXN0cw"
"""Id of the cluster. Any 16 bytes in URL-safe base64 are one; asking Kafka's tool for it would cost a start of Java."""
JAVA = ("java", "-Xmx384m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.net.preferIPv4Stack=true")

SERVER = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{sasl},SSL://127.0.0.1:{ssl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{sasl},SSL://127.0.0.1:{ssl}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN,OAUTHBEARER
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
ssl.client.auth=none
listener.name.ssl.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^.*$/certified/
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:{user};User:certified
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
group.max.session.timeout.ms=60000
auto.create.topics.enable=false
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
message.max.bytes=8388608
num.network.threads=2
num.io.threads=2
background.threads=1
log.cleaner.dedupe.buffer.size=2097152
log.retention.check.interval.ms=1000
file.delete.delay.ms=100
"""


class MissingToolsError(Exception):
    """No broker can be had on this machine; the text says what is missing."""


def jars() -> Path:
    """The folder with Kafka's jars; fetched once, and again when the pom has changed. Raises ``MissingToolsError``."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise MissingToolsError(f"{tool} is not on this machine (install a JDK 17 and Maven, or set WATCHFLOOR_TEST_KAFKA)")
    cache = Path(os.environ.get("WATCHFLOOR_TEST_CACHE", REPOSITORY / ".cache")) / "kafka"
    cache.mkdir(parents=True, exist_ok=True)
    pom = POM.read_bytes()
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the workers of one run ask at the same moment
        done = cache / "fetched-with.xml"
        if done.exists() and done.read_bytes() == pom:
            return cache / "lib"
        shutil.rmtree(cache / "lib", ignore_errors=True)
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={cache / 'lib'}"]
        ran = subprocess.run(["mvn", "-q", "-B", "-f", POM, *goal], capture_output=True, text=True, check=False, timeout=600)
        if ran.returncode:
            raise MissingToolsError(f"Maven could not fetch Kafka: {ran.stdout.strip()[-500:]}")
        done.write_bytes(pom)
    return cache / "lib"


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on just now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def do(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it to its end, also from within a running loop (in a thread of its own then)."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class Broker:
    """``folder``: where its configuration, certificates and data live. ``start`` before anything else, ``stop`` at the end.

    ``cluster``: its id.
    """

    is_own = True
    """Whether a test may kill it, and has its certificates and passwords."""

    def __init__(self, folder: Path, cluster: str = CLUSTER) -> None:
        self.folder = folder
        self.cluster = cluster
        self.ca_file = folder / "ca.pem"
        self.client_cert, self.client_key = folder / "client.pem", folder / "client.key"
        self._lib = jars()
        self._plain, self._sasl, self._ssl, self._controller = free_ports(4)
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._write_certificates()
        self._format()

    @property
    def servers(self) -> str:
        """``host:port`` of the plain-text listener; everybody may do everything there."""
        return f"127.0.0.1:{self._plain}"

    @property
    def sasl_servers(self) -> str:
        """The listener with TLS and passwords (``USER``: everything, ``STRANGER``: nothing)."""
        return f"127.0.0.1:{self._sasl}"

    @property
    def ssl_servers(self) -> str:
        """The listener with TLS that asks for the client's certificate."""
        return f"127.0.0.1:{self._ssl}"

    def _write_certificates(self) -> None:
        ca = trustme.CA()
        ca.cert_pem.write_to_path(self.ca_file)
        server, client = ca.issue_cert("127.0.0.1", "localhost"), ca.issue_cert("watchfloor.example.com")
        # Kafka reads keys in PKCS #8 only.
        key = load_pem_private_key(server.private_key_pem.bytes(), None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "broker.pem").write_bytes(key + b"".join(pem.bytes() for pem in server.cert_chain_pems))
        self.client_cert.write_bytes(b"".join(pem.bytes() for pem in client.cert_chain_pems))
        client.private_key_pem.write_to_path(self.client_key)

    def _format(self) -> None:
        ports = {"plain": self._plain, "sasl": self._sasl, "ssl": self._ssl, "controller": self._controller}
        text = SERVER.format(**ports, folder=self.folder, user=USER, password=PASSWORD)
        (self.folder / "server.properties").write_text(text)
        users = [
            f"--add-scram={mechanism}=[name={name},password={password}]"
            for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256")
            for name, password in ((USER, PASSWORD), (STRANGER, STRANGERS_PASSWORD))
        ]
        command = ["format", "--standalone", "-t", self.cluster, "-c", str(self.folder / "server.properties"), *users]
        ran = subprocess.run(self._java("kafka.tools.StorageTool", *command), capture_output=True, text=True, check=False, timeout=60)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def _java(self, main: str, *arguments: str | Path) -> list[str]:
        return [*JAVA, "-cp", f"{self._lib}/*", main, *map(str, arguments)]

    def start(self) -> None:
        """Start it, on the same data and ports as before, and wait until it answers."""
        assert self._process is None
        log = (self.folder / "broker.log").open("ab")
        with log:
            command = self._java("kafka.Kafka", self.folder / "server.properties")
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._plain)) == 0 and do(_answers(self.servers)):
                    return
            time.sleep(0.1)
        self.kill()
        raise AssertionError(f"the broker did not start: {(self.folder / 'broker.log').read_text()[-3000:]}")

    def stop(self) -> None:
        """End it cleanly, if it runs."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would (``kill -9``), if it runs."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def rebuild(self, cluster: str) -> None:
        """Make another cluster in its place, with nothing in it; to be started on the same ports."""
        assert self._process is None
        shutil.rmtree(self.folder / "data")
        self.cluster = cluster
        self._format()

    def suspend(self) -> None:
        """Let it hang: connections stay open and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after ``suspend``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def create_topic(self, name: str, partitions: int = 1, **configs: str) -> str:
        """Make a topic; settings of the topic as ``retention_ms="1000"``. Returns its name."""
        named = {key.replace("_", "."): value for key, value in configs.items()}
        do(_admin(self.servers, "create_topics", [NewTopic(name, partitions, 1, topic_configs=named)]))
        do(_until_listed(self.servers, name))
        return name

    def add_partitions(self, name: str, total: int) -> None:
        """Give the topic this many partitions."""
        do(_admin(self.servers, "create_partitions", {name: NewPartitions(total)}))

    def delete_topic(self, name: str) -> None:
        """Remove a topic with all it holds."""
        do(_admin(self.servers, "delete_topics", [name]))

    def delete_records(self, name: str, partition: int, before: int) -> None:
        """Remove what lies before this offset, as retention does."""
        do(_delete_records(self.servers, TopicPartition(name, partition), before))

    def produce(
        self,
        topic: str,
        values: Iterable[bytes | None],
        partition: int = 0,
        compression: str | None = None,
        times: Sequence[float] | None = None,
    ) -> None:
        """Append records; ``times``: Unix seconds of each."""
        do(_produce(self.servers, topic, list(values), partition, compression, times))

    def read(self, topic: str, count: int, wait_s: float = 15.0) -> list[Any]:
        """The first ``count`` records of a topic, as aiokafka's ``ConsumerRecord``; fewer when they do not come in time."""
        return list(do(_read(self.servers, topic, count, wait_s)))


class GivenBroker(Broker):
    """A broker that somebody else runs (``WATCHFLOOR_TEST_KAFKA``): plain text only, never stopped."""

    is_own = False

    def __init__(self, servers: str) -> None:
        self._servers = servers

    @property
    def servers(self) -> str:
        """As it was given."""
        return self._servers

    def start(self) -> None:
        """Only look whether it answers."""
        assert do(_answers(self._servers)), f"WATCHFLOOR_TEST_KAFKA: {self._servers} does not answer"

    def stop(self) -> None:
        """Leave it alone."""


async def _answers(servers: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=5000)
    try:
        await asyncio.wait_for(admin.start(), 5)
        topics = await asyncio.wait_for(admin.list_topics(), 5)
    except Exception:  # noqa: BLE001 - whatever it is, it does not answer yet
        return False
    else:
        return topics is not None
    finally:
        await admin.close()


async def _admin(servers: str, call: str, argument: Any) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        response = await getattr(admin, call)(argument)
        errors = getattr(response, "topic_errors", None) or getattr(response, "topic_error_codes", None) or ()
        failed = [error for error in errors if error[1]]
        assert not failed, failed
    finally:
        await admin.close()


async def _until_listed(servers: str, name: str) -> None:
    """A topic is made before every part of the broker knows of it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        async with asyncio.timeout(10):
            while name not in await admin.list_topics():
                await asyncio.sleep(0.02)
    finally:
        await admin.close()


async def _delete_records(servers: str, partition: TopicPartition, before: int) -> None:
    await _admin(servers, "delete_records", {partition: RecordsToDelete(before)})


async def _produce(
    servers: str, topic: str, values: Sequence[bytes | None], partition: int, compression: str | None, times: Sequence[float] | None
) -> None:
    limits = {"max_request_size": 8_000_000, "max_batch_size": 200_000, "linger_ms": 5}
    async with AIOKafkaProducer(bootstrap_servers=servers, compression_type=compression, acks="all", **limits) as producer:
        sent = []
        for at, value in enumerate(values):
            stamp = None if times is None else round(times[at] * 1000)
            key = b"key" if value is None else None  # a record needs one of the two
            sent.append(await producer.send(topic, value, key, partition=partition, timestamp_ms=stamp))
        await asyncio.gather(*sent)


async def _read(servers: str, topic: str, count: int, wait_s: float) -> list[Any]:
    found: list[Any] = []
    deadline = time.monotonic() + wait_s
    async with AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
        while len(found) < count and time.monotonic() < deadline:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
    return found[:count]


_numbers = itertools.count()


def unique(name: str) -> str:
    """A name no other test uses, also on a broker that is kept between runs."""
    return f"{name}-{os.getpid()}-{time.time_ns() // 1_000_000}-{next(_numbers)}"
