using EventBus.Stores;
using RabbitMqPublishException = RabbitMQ.Client.Exceptions.PublishException;

namespace EventBus;

/// <summary>
/// Gives access to the queue of dead letters, <c>{service}.dead-letters</c>, and to the queue of their alerts.
/// </summary>
internal sealed class RabbitMqDeadLetterQueue(RabbitMqConnector connector, RabbitMqFailureQueues queues) : DeadLetterQueue, IAsyncDisposable
{
    // Before a retry of all dead letters, an empty queue is counted this many times, at this interval.
    private const int MaxCounts = 5;
    private static readonly TimeSpan CountInterval = TimeSpan.FromMilliseconds(100);

    private readonly RabbitMqAlertQueue alerts = new(connector);

    public ValueTask DisposeAsync() => alerts.DisposeAsync();

    /// <summary>Adds a dead letter, and its alert if it needs one.</summary>
    public async Task AddAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        // A queue cannot assign numbers that increase. The time is almost always such a number.
        var dead = entry with { Number = queues.Setup.TimeProvider.GetUtcNow().UtcTicks, WasInterrupted = false };
        if (dead.NeedsAlert)
        {
            // The alert is sent first: if the process ends between the two calls, an alert arrives before its dead
            // letter, instead of a dead letter without any alert.
            await queues.SendAlertAsync(dead, cancellationToken);
        }

        await queues.SendAsync(queues.Topology.DeadLetterQueue, dead, cancellationToken);
    }

    /// <summary>
    /// Lists the dead letters at the head of the queue, the oldest first. They return to the queue when the channel
    /// closes.
    /// </summary>
    public override async ValueTask<IReadOnlyList<FailedEvent>> ListAsync(int max, CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        var found = new List<FailedEvent>();
        await using var reader = new RabbitMqQueueReader(connector);
        while (found.Count < max)
        {
            var pulled = await queues.AwaitAsync(reader.GetAsync(queues.Topology.DeadLetterQueue, cancellationToken));
            if (pulled is null)
            {
                break;
            }

            found.Add(RabbitMqFailureFormat.Read(pulled.Message, queues.Topology, queues.Setup.Subscriptions, FailedEventStatus.Dead));
        }

        return found;
    }

    public override async ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        return await queues.CountAsync(queues.Topology.DeadLetterQueue, cancellationToken);
    }

    public override async ValueTask<int> RetryAllAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        await using var reader = new RabbitMqQueueReader(connector);

        // Only the dead letters that are there now: those that are returned to the queue would be read again.
        var present = await CountReturnedAsync(reader, cancellationToken);
        var retried = 0;
        for (var i = 0L; i < present; i++)
        {
            var pulled = await reader.GetAsync(queues.Topology.DeadLetterQueue, cancellationToken);
            if (pulled is null)
            {
                break;
            }

            var entry = RabbitMqFailureFormat.Read(pulled.Message, queues.Topology, queues.Setup.Subscriptions, FailedEventStatus.Waiting);
            try
            {
                if (await TryRetryAsync(entry, cancellationToken))
                {
                    retried++;
                }

                await pulled.AckAsync();
            }
            catch (StoreRefusedException exception) when (exception.Scope == StoreScope.Entry)
            {
                // The entry returns to the queue when the channel closes. Other entries are not affected.
            }
        }

        return retried;
    }

    public override async ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        return new DueBatch<PendingAlert>(
            await queues.AwaitAsync(alerts.TakeAsync(queues.Topology, queues.Setup.Subscriptions, max, cancellationToken)),
            null);
    }

    public override ValueTask<FailedEvent?> FindAsync(PendingAlert alert, CancellationToken cancellationToken) =>
        ValueTask.FromResult(alerts.Find(alert));

    public override ValueTask MarkAlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken) =>
        alerts.SettleAsync(sent);

    /// <summary>
    /// Sends a dead letter to its subscription. If there is no such subscription, returns it to the end of the
    /// dead-letter queue.
    /// </summary>
    private async Task<bool> TryRetryAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        try
        {
            await queues.SendAsync(
                queues.Topology.RetryQueueOf(entry.Subscription),
                entry with { Attempts = 0, ManualRetries = entry.ManualRetries + 1, Number = 0 },
                cancellationToken);
            return true;
        }
        catch (StoreRefusedException exception) when (exception.InnerException is RabbitMqPublishException { IsReturn: true })
        {
            await queues.SendAsync(queues.Topology.DeadLetterQueue, entry with { Status = FailedEventStatus.Dead }, cancellationToken);
            return false;
        }
    }

    /// <summary>
    /// Counts the dead letters. After a listing, the broker needs a moment to return the listed entries to the queue,
    /// so an empty queue is counted several times within half a second.
    /// </summary>
    private async Task<long> CountReturnedAsync(RabbitMqQueueReader reader, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(CountInterval, TimeProvider.System);
        for (var attempt = 0; attempt < MaxCounts; attempt++)
        {
            var count = await queues.AwaitAsync(reader.CountAsync(queues.Topology.DeadLetterQueue, cancellationToken));
            if (count > 0)
            {
                return count;
            }

            await timer.WaitForNextTickAsync(cancellationToken);
        }

        return 0;
    }
}
