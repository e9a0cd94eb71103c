using Confluent.Kafka;
using Confluent.Kafka.Admin;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Reads and writes the positions of a group, with a new client that has this group. A client without one ends the
/// process if the broker answers that the group has moved to another broker (librdkafka issue 5040, open in 2.16). An
/// older connection can have died without an error, and the call would wait on it.
/// </summary>
internal sealed class KafkaGroupClient(KafkaClientSettings settings, TimeProvider time, ILogger log)
{
    /// <summary>Reads the positions that a group has committed. The client never joins the group.</summary>
    /// <param name="group">The group.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>Empty if there is no such group.</returns>
    /// <exception cref="KafkaException">The cluster refused the call.</exception>
    /// <exception cref="TimeoutException">
    /// There was no answer within <see cref="KafkaOptions.CallTimeout"/>.
    /// </exception>
    public async Task<IReadOnlyList<TopicPartitionOffset>> ReadAsync(string group, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await CallAsync(
                group,
                (admin, timeout) => admin.ListConsumerGroupOffsetsAsync(
                    [new ConsumerGroupTopicPartitions(group, null)],
                    new ListConsumerGroupOffsetsOptions { RequestTimeout = timeout }),
                cancellationToken);
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
    }

    /// <summary>Writes the positions of a group that has no members.</summary>
    /// <param name="group">The group.</param>
    /// <param name="positions">The positions.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="KafkaException">The cluster refused the call.</exception>
    /// <exception cref="TimeoutException">
    /// There was no answer within <see cref="KafkaOptions.CallTimeout"/>.
    /// </exception>
    public Task WriteAsync(string group, IReadOnlyCollection<TopicPartitionOffset> positions, CancellationToken cancellationToken) =>
        CallAsync(
            group,
            (admin, timeout) => admin.AlterConsumerGroupOffsetsAsync(
                [new ConsumerGroupTopicPartitionOffsets(group, [.. positions])],
                new AlterConsumerGroupOffsetsOptions { RequestTimeout = timeout }),
            cancellationToken);

    private async Task<T> CallAsync<T>(
        string group, Func<IAdminClient, TimeSpan, Task<T>> call, CancellationToken cancellationToken)
    {
        var timeout = settings.Options.CallTimeout;
        var events = new KafkaClientEvents($"client of {group}", log);
        var consumer = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig(settings.ForAdmin()) { GroupId = group })
            .SetErrorHandler((_, error) => events.Report(error))
            .SetLogHandler((_, message) => events.Log(message))
            .Build();
        var admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        try
        {
            return await call(admin, KafkaGroupAdmin.RequestTimeout).Observed().WaitAsync(timeout, time, cancellationToken);
        }
        catch (TimeoutException exception)
        {
            throw KafkaGroupAdmin.TimedOut(settings, events, exception);
        }
        finally
        {
            await KafkaThreads.DisposeAsync(admin, "administration client of a group", time, log);
            await KafkaThreads.DisposeAsync(consumer, "client of a group", time, log);
        }
    }
}
