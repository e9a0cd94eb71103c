using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace EventBus.Kafka.Tests;

/// <summary>Calls of the client library without this library, like a program in another language.</summary>
internal static class RawClient
{
    /// <summary>Creates a topic, unless it exists.</summary>
    public static async Task CreateTopicAsync(string topic, int partitions = 1, string? address = null)
    {
        using var admin = new AdminClientBuilder(TestBroker.Config<AdminClientConfig>(address)).Build();
        try
        {
            await admin.CreateTopicsAsync(
                [new TopicSpecification { Name = topic, NumPartitions = partitions, ReplicationFactor = 1 }],
                new CreateTopicsOptions { RequestTimeout = TestBroker.Patience });
        }
        catch (CreateTopicsException exception) when (exception.Results[0].Error.Code == ErrorCode.TopicAlreadyExists)
        {
            // As wanted.
        }
    }

    /// <summary>Writes one record and returns where it is.</summary>
    public static async Task<TopicPartitionOffset> PublishAsync(
        string topic,
        string? key,
        ReadOnlyMemory<byte> body,
        IEnumerable<KeyValuePair<string, string>>? headers = null,
        string? address = null)
    {
        using var producer = new ProducerBuilder<byte[]?, byte[]>(TestBroker.Config<ProducerConfig>(address)).Build();
        var message = new Message<byte[]?, byte[]>
        {
            Key = key is null ? null : Encoding.UTF8.GetBytes(key),
            Value = body.ToArray(),
            Headers = [],
        };
        foreach (var (name, value) in headers ?? [])
        {
            message.Headers.Add(name, Encoding.UTF8.GetBytes(value));
        }

        return (await producer.ProduceAsync(topic, message, TestContext.Current.CancellationToken)
            .WaitAsync(TestBroker.Patience)).TopicPartitionOffset;
    }

    /// <summary>Writes a record without a name and a value, which deletes its key in a compacted topic.</summary>
    public static async Task PublishTombstoneAsync(string topic)
    {
        using var producer = new ProducerBuilder<string, Null>(TestBroker.Config<ProducerConfig>()).Build();
        await producer.ProduceAsync(topic, new Message<string, Null> { Key = "k" }, TestContext.Current.CancellationToken);
    }

    /// <summary>Reads a number of records from the beginning of a topic.</summary>
    public static List<ConsumeResult<byte[]?, byte[]?>> Read(string topic, int count, string? address = null)
    {
        var config = TestBroker.Config<ConsumerConfig>(address);
        (config.GroupId, config.AutoOffsetReset, config.EnableAutoCommit) = (TestBroker.NewName(), AutoOffsetReset.Earliest, false);
        using var consumer = new ConsumerBuilder<byte[]?, byte[]?>(config).Build();
        consumer.Subscribe(topic);
        var found = new List<ConsumeResult<byte[]?, byte[]?>>();
        var begun = TimeProvider.System.GetTimestamp();
        while (found.Count < count)
        {
            if (consumer.Consume(TimeSpan.FromMilliseconds(100)) is { } result)
            {
                found.Add(result);
            }

            Assert.True(
                TimeProvider.System.GetElapsedTime(begun) < TestBroker.Patience,
                $"{count} records of {topic} are read, not {found.Count}");
        }

        consumer.Close();
        return found;
    }
}
