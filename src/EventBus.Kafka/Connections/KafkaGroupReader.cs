using Confluent.Kafka;
using Confluent.Kafka.Admin;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Reads the positions of a group, with a client that has this group. A client without one ends the process if the
/// broker answers that the group has moved to another broker (librdkafka issue 5040, open in 2.16).
/// </summary>
internal sealed class KafkaGroupReader(KafkaClientSettings settings, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(500);

    /// <summary>Reads the positions that a group has committed. The client never joins the group.</summary>
    /// <param name="group">The group.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>Empty if there is no such group.</returns>
    /// <exception cref="KafkaException">The cluster refused the call, or the client gave up.</exception>
    /// <exception cref="TimeoutException">The client did not end the call.</exception>
    public async Task<IReadOnlyList<TopicPartitionOffset>> ReadAsync(string group, CancellationToken cancellationToken)
    {
        var timeout = settings.Options.CallTimeout;
        var events = new KafkaClientEvents($"reader of {group}", log);
        var consumer = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig(settings.ForAdmin()) { GroupId = group })
            .SetErrorHandler((_, error) => events.Report(error))
            .SetLogHandler((_, message) => events.Log(message))
            .Build();
        var admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        try
        {
            var answer = await admin.ListConsumerGroupOffsetsAsync(
                    [new ConsumerGroupTopicPartitions(group, null)],
                    new ListConsumerGroupOffsetsOptions { RequestTimeout = timeout })
                .Observed()
                .WaitAsync(timeout + Grace, time, cancellationToken);
            return
            [
                .. answer.SelectMany(found => found.Partitions)
                    .Where(partition => !partition.Error.IsError && !partition.Offset.IsSpecial)
                    .Select(partition => partition.TopicPartitionOffset),
            ];
        }
        catch (KafkaException exception) when (exception.Error.Code == ErrorCode.GroupIdNotFound)
        {
            return [];
        }
        finally
        {
            await KafkaThreads.DisposeAsync(admin, "administration client of a group", time, log);
            await KafkaThreads.DisposeAsync(consumer, "reader of a group", time, log);
        }
    }
}
