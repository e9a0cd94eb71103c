using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Counts the messages of queues for the metrics, without creating queues that are missing. A message that an instance
/// holds unacknowledged is in no count of the broker.
/// </summary>
internal sealed class RabbitMqQueueCounter(RabbitMqConnector connector) : IAsyncDisposable
{
    // Its own channel: the broker closes it if a queue is missing.
    private readonly RabbitMqQueueReader reader = new(connector);

    public ValueTask DisposeAsync() => reader.DisposeAsync();

    /// <summary>Returns the number of messages in all the queues together; null if one of them is missing.</summary>
    /// <param name="queues">The names of the queues.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task<long?> CountAsync(IEnumerable<string> queues, CancellationToken cancellationToken)
    {
        var sum = 0L;
        foreach (var queue in queues)
        {
            try
            {
                sum += await reader.CountAsync(queue, cancellationToken);
            }
            catch (OperationInterruptedException exception) when (RabbitMqErrors.IsMissing(exception))
            {
                return null;
            }
        }

        return sum;
    }
}
