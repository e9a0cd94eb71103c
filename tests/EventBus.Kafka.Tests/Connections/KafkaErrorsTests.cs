using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace EventBus.Kafka.Tests;

/// <summary>Tests how errors of the cluster are classified.</summary>
public sealed class KafkaErrorsTests
{
    /// <summary>
    /// An error without a cause of a partition, such as a timeout, would otherwise be taken for a group with members: a
    /// new subscription would begin without the positions that it could not write.
    /// </summary>
    [Theory]
    [InlineData(ErrorCode.NoError, ErrorCode.UnknownMemberId, true)]
    [InlineData(ErrorCode.NoError, ErrorCode.GroupAuthorizationFailed, false)]
    [InlineData(ErrorCode.NoError, ErrorCode.NoError, false)]
    [InlineData(ErrorCode.RequestTimedOut, ErrorCode.NoError, false)]
    [InlineData(ErrorCode.RequestTimedOut, ErrorCode.UnknownMemberId, false)]
    public void HaveMembers_OfARefusedChangeOfPositions_IsTrueForErrorsOfMembersOnly(ErrorCode group, ErrorCode partition, bool expected)
    {
        var position = new TopicPartitionOffsetError("order-events", 0, 7, new Error(partition));
        var report = new AlterConsumerGroupOffsetsReport { Group = "shop.mail", Error = new Error(group), Partitions = [position] };

        Assert.Equal(expected, KafkaErrors.HaveMembers(new AlterConsumerGroupOffsetsException([report])));
    }
}
