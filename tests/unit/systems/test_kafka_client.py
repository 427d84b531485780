"""What the Kafka client tells librdkafka, and what becomes of librdkafka's refusals."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from config.settings import KafkaSettings
from systems import kafka as client
from systems.errors import NotPermitted
from systems.kafka import Kafka
from systems.kafka_model import TopicShape, is_topic_there
from tbops.sites import kafka_config

NOWHERE = "127.0.0.1:1"


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_login_reaches_librdkafka(mechanism: str) -> None:
    """OCI's two products take one each (facts/systems.md §3.2)."""
    given = KafkaSettings.model_validate(
        {
            "bootstrap": NOWHERE,
            "protocol": "SASL_SSL",
            "mechanism": mechanism,
            "username": "tenancy/user/pool",
            "password": "planted-secret",
        }
    )
    config = kafka_config(given)
    assert config == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": mechanism,
        "sasl.username": "tenancy/user/pool",
        "sasl.password": "planted-secret",
    }
    kafka = Kafka(given.bootstrap, config, call_s=0.1)
    consumer = kafka._consumer("g")  # librdkafka refuses a key or value that it does not know
    consumer.close()


def test_topics_are_not_changed_without_a_permit() -> None:
    kafka = Kafka(NOWHERE, call_s=0.1)
    with pytest.raises(NotPermitted):
        kafka.create_topic("repos", TopicShape(2, 1))
    with pytest.raises(NotPermitted):
        kafka.delete_topic("repos")


@pytest.mark.parametrize(
    ("code", "said", "retryable"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "lacks an ACL for this topic", False),
        (KafkaError.INVALID_REPLICATION_FACTOR, "fewer brokers", False),
        (KafkaError.INVALID_PARTITIONS, "INVALID_PARTITIONS", False),
        (KafkaError.POLICY_VIOLATION, "a policy of the cluster", False),
        (KafkaError.REQUEST_TIMED_OUT, "REQUEST_TIMED_OUT", True),
        (KafkaError.NOT_CONTROLLER, "NOT_CONTROLLER", True),
    ],
)
def test_a_refusal_says_what_people_can_do(code: int, said: str, retryable: bool) -> None:
    error = client.refusal(KafkaException(KafkaError(code)), "create topic repos")
    assert said in error.said
    assert error.retryable is retryable
    assert not is_topic_there(error)


def test_a_topic_that_is_there_is_known_as_such() -> None:
    there = client.refusal(KafkaException(KafkaError(KafkaError.TOPIC_ALREADY_EXISTS)), "create topic repos")
    assert is_topic_there(there)
    assert not there.retryable
