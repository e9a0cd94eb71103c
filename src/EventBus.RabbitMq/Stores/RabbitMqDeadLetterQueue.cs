using EventBus.Stores;
using RabbitMqPublishException = RabbitMQ.Client.Exceptions.PublishException;

namespace EventBus;

/// <summary>
/// Gives access to the queue of dead letters, <c>{service}.dead-letters</c>, and to the queue of their alerts.
/// </summary>
internal sealed class RabbitMqDeadLetterQueue(RabbitMqConnector connector, RabbitMqFailureQueues queues) : DeadLetterQueue, IAsyncDisposable
{
    private const int MaxCounts = 5;

    private readonly RabbitMqAlertQueue alerts = new(connector);

    public ValueTask DisposeAsync() => alerts.DisposeAsync();

    /// <summary>Adds a dead letter, and its alert if it needs one.</summary>
    public async Task AddAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        entry = entry with { Number = queues.Setup.TimeProvider.GetUtcNow().UtcTicks, WasInterrupted = false };
        if (entry.NeedsAlert)
        {
            // The alert is sent first: if the process ends between the two calls, an alert arrives before its dead
            // letter, instead of a dead letter without any alert.
            await queues.SendAlertAsync(entry, cancellationToken);
        }

        await queues.SendAsync(queues.Names.DeadLetterQueue, entry, cancellationToken);
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
            var pulled = await queues.ReadAsync(reader.GetAsync(queues.Names.DeadLetterQueue, cancellationToken));
            if (pulled is null)
            {
                break;
            }

            found.Add(RabbitMqFailureFormat.Read(pulled.Message, queues.Names, queues.Setup.Subscriptions, FailedEventStatus.Dead));
        }

        return found;
    }

    public override async ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        return await queues.CountAsync(queues.Names.DeadLetterQueue, cancellationToken);
    }

    public override async ValueTask<int> RetryAllAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        await using var reader = new RabbitMqQueueReader(connector);
        // Only the dead letters that are there now: those that are returned to the queue would be read again.
        var all = await CountReturnedAsync(reader, cancellationToken);
        var retried = 0;
        for (var i = 0L; i < all; i++)
        {
            var pulled = await reader.GetAsync(queues.Names.DeadLetterQueue, cancellationToken);
            if (pulled is null)
            {
                break;
            }

            var entry = RabbitMqFailureFormat.Read(pulled.Message, queues.Names, queues.Setup.Subscriptions, FailedEventStatus.Waiting);
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
            await queues.ReadAsync(alerts.TakeAsync(queues.Names, queues.Setup.Subscriptions, max, cancellationToken)),
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
                queues.Names.RetryQueueOf(entry.Subscription),
                entry with { Attempts = 0, ManualRetries = entry.ManualRetries + 1, Number = 0 },
                cancellationToken);
            return true;
        }
        catch (StoreRefusedException exception) when (exception.InnerException is RabbitMqPublishException { IsReturn: true })
        {
            await queues.SendAsync(queues.Names.DeadLetterQueue, entry with { Status = FailedEventStatus.Dead }, cancellationToken);
            return false;
        }
    }

    /// <summary>
    /// Counts the dead letters. The broker puts back the entries that a listing has read a moment after the listing, so
    /// an empty queue is counted several times within half a second.
    /// </summary>
    private async Task<long> CountReturnedAsync(RabbitMqQueueReader reader, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        for (var attempt = 0; attempt < MaxCounts; attempt++)
        {
            var count = await queues.ReadAsync(reader.CountAsync(queues.Names.DeadLetterQueue, cancellationToken));
            if (count > 0)
            {
                return count;
            }

            await timer.WaitForNextTickAsync(cancellationToken);
        }

        return 0;
    }
}
