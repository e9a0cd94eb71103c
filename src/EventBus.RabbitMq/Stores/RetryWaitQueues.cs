using EventBus.Stores;

namespace EventBus;

/// <summary>Sends entries to the queues in which they wait for a retry, one queue per delay, and counts them.</summary>
internal sealed class RetryWaitQueues(RabbitMqFailureQueues queues, RabbitMqOptions options)
{
    /// <summary>The names of the waiting queues.</summary>
    public IEnumerable<string> Names => options.EffectiveRetrySteps.Distinct().Select(queues.Topology.WaitQueueOf);

    /// <summary>Gets the configured delay that is nearest to the requested one, by their ratio.</summary>
    public static TimeSpan NearestStep(TimeSpan delay, IEnumerable<TimeSpan> steps) =>
        steps.MinBy(step => Math.Abs(Math.Log(step / delay)));

    /// <summary>Sends an entry to the waiting queue of its delay, or to the retry queue if it is due.</summary>
    public async Task SendAsync(FailedEvent entry, TimeSpan delay, CancellationToken cancellationToken)
    {
        // The name of the default exchange is empty. It routes a message to the queue that the routing key names.
        var exchange = delay > TimeSpan.Zero ? queues.Topology.WaitQueueOf(NearestStep(delay, options.EffectiveRetrySteps)) : "";
        await queues.SendAsync(exchange, queues.Topology.RetryQueueOf(entry.Subscription), entry, cancellationToken);
    }

    /// <summary>Counts the entries in all waiting queues.</summary>
    public async Task<long> CountAsync(CancellationToken cancellationToken)
    {
        var sum = 0L;
        foreach (var queue in Names)
        {
            sum += await queues.CountAsync(queue, cancellationToken);
        }

        return sum;
    }
}
