using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>Tests that only the status of a record says whether it may have been written.</summary>
public sealed class KafkaOutcomesTests
{
    [Theory]
    [InlineData(PersistenceStatus.Persisted, ErrorCode.NoError, PublishStatus.Accepted)]
    [InlineData(PersistenceStatus.Persisted, ErrorCode.DuplicateSequenceNumber, PublishStatus.Accepted)]
    [InlineData(PersistenceStatus.PossiblyPersisted, ErrorCode.Local_MsgTimedOut, PublishStatus.InDoubt)]
    [InlineData(PersistenceStatus.PossiblyPersisted, ErrorCode.MsgSizeTooLarge, PublishStatus.InDoubt)]
    [InlineData(PersistenceStatus.NotPersisted, ErrorCode.Local_MsgTimedOut, PublishStatus.Failed)]
    [InlineData(PersistenceStatus.NotPersisted, ErrorCode.NotEnoughReplicas, PublishStatus.Failed)]
    [InlineData(PersistenceStatus.NotPersisted, ErrorCode.UnknownTopicOrPart, PublishStatus.Failed)]
    [InlineData(PersistenceStatus.NotPersisted, ErrorCode.Local_Fatal, PublishStatus.Failed)]
    [InlineData(PersistenceStatus.NotPersisted, ErrorCode.Local_InvalidDifferentRecord, PublishStatus.Failed)]
    [InlineData(PersistenceStatus.NotPersisted, ErrorCode.MsgSizeTooLarge, PublishStatus.Rejected)]
    [InlineData(PersistenceStatus.NotPersisted, ErrorCode.TopicAuthorizationFailed, PublishStatus.Rejected)]
    [InlineData(PersistenceStatus.NotPersisted, ErrorCode.InvalidRecord, PublishStatus.Rejected)]
    public void Of_AStatusAndAnError_IsTheirOutcome(PersistenceStatus status, ErrorCode code, PublishStatus expected)
    {
        var record = new KafkaRecord("order-events", null, new Message<byte[]?, byte[]>(), 12_345);

        var outcome = KafkaOutcomes.Of(status, new Error(code), record, "a:1");

        Assert.Equal(expected, outcome.Status);
        Assert.True(outcome.Error is null || outcome.Error.Message.Contains("'order-events'", StringComparison.Ordinal));
    }

    [Fact]
    public void Of_ARecordThatIsTooLarge_SaysWhatToRaise()
    {
        var record = new KafkaRecord("order-events", null, new Message<byte[]?, byte[]>(), 2_000_000);

        var outcome = KafkaOutcomes.NotSent(new Error(ErrorCode.MsgSizeTooLarge), record, "a:1");

        Assert.Contains("2,000,000 bytes", outcome.Error!.Message, StringComparison.Ordinal);
        Assert.Contains("KafkaOptions.MaxRecordBytes", outcome.Error.Message, StringComparison.Ordinal);
    }
}
