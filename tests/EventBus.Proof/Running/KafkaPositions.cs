using Confluent.Kafka;

namespace EventBus.Proof;

/// <summary>
/// Reads the positions that groups have committed, with one client for each group, which has that group and never joins
/// it. An administration client ends the process if the broker answers that the group has moved (librdkafka issue 5040,
/// open in 2.16).
/// </summary>
internal sealed class KafkaPositions(string address) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Dictionary<string, IConsumer<Ignore, Ignore>> clients = [];

    /// <summary>Returns the positions of a group; a negative one where it has none.</summary>
    public Task<Dictionary<TopicPartition, long>> ReadAsync(string group, IReadOnlyList<TopicPartition> partitions)
    {
        if (!clients.TryGetValue(group, out var client))
        {
            client = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig { BootstrapServers = address, GroupId = group })
                .SetLogHandler((_, _) => { })
                .Build();
            clients.Add(group, client);
        }

        // The call blocks its thread.
        return Task.Run(() => client.Committed(partitions, Patience).ToDictionary(each => each.TopicPartition, each => each.Offset.Value));
    }

    public void Dispose()
    {
        foreach (var client in clients.Values)
        {
            client.Dispose();
        }
    }
}
