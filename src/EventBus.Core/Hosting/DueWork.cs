using System.Collections.Concurrent;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>What the two due loops do: start failed events again, and publish delayed ones.</summary>
internal sealed class DueWork(IReadOnlyDictionary<string, SubscriptionWorker> workers, BackgroundRunner runner, TimeProvider time, IdleSignal idle, ILogger log)
{
    // How many entries are claimed at once: failed ones for each subscription, delayed ones in all.
    private const int ClaimSize = 16;

    // On top of the time that the work itself may take: for the store's own answers.
    private static readonly TimeSpan LeaseMargin = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, int> retriesInFlight = new(StringComparer.Ordinal);

    /// <summary>Starts what is due in the subscriptions that have room for it: a subscription whose retries hang holds up nobody else's.</summary>
    public async Task<DateTimeOffset?> StartRetriesAsync(FailureStore store, TimeSpan longestHandler, Action wake, CancellationToken stop)
    {
        string[] withRoom = [.. workers.Values.Where(worker => retriesInFlight.GetValueOrDefault(worker.Name) < worker.Concurrency).Select(worker => worker.Name)];
        if (withRoom.Length == 0)
        {
            // Whichever retry ends first wakes the loop.
            return null;
        }

        var claimed = await store.ClaimDueAsync(withRoom, time.GetUtcNow(), longestHandler + LeaseMargin, ClaimSize, stop);
        foreach (var entry in claimed.Entries)
        {
            var worker = workers[entry.Subscription];
            retriesInFlight.AddOrUpdate(worker.Name, 1, static (_, count) => count + 1);
            runner.Observe(runner.Start($"{worker.Name} retry", () => RetryAsync(worker, entry, store, wake)));
        }

        return claimed.Entries.Count >= ClaimSize ? time.GetUtcNow() : claimed.NextDue;
    }

    /// <summary>Publishes what is due, side by side, begun in the order of the store.</summary>
    public async Task<DateTimeOffset?> PublishDelayedAsync(DelayStore store, Publisher publisher, TimeSpan publishTimeout, CancellationToken stop)
    {
        var claimed = await store.ClaimDueAsync(time.GetUtcNow(), publishTimeout + LeaseMargin, ClaimSize, stop);
        await Task.WhenAll(claimed.Entries.Select(envelope => PublishAsync(store, publisher, envelope, stop)).ToArray());
        idle.Set();
        return claimed.Entries.Count == ClaimSize ? time.GetUtcNow() : claimed.NextDue;
    }

    private async Task RetryAsync(SubscriptionWorker worker, FailedEvent entry, FailureStore store, Action wake)
    {
        try
        {
            await worker.RetryAsync(entry, store);
        }
        finally
        {
            // The end of one entry may free the next of its line, and makes room for another.
            retriesInFlight.AddOrUpdate(worker.Name, 0, static (_, count) => count - 1);
            wake();
            idle.Set();
        }
    }

    private async Task PublishAsync(DelayStore store, Publisher publisher, Envelope envelope, CancellationToken stop)
    {
        try
        {
            await publisher.SendDueAsync(envelope);
        }
        catch (PublishException exception) when (exception.Failure != PublishFailure.NoSubscriber)
        {
            // Still in the store: due again when the lease is over, and recognisable by its id.
            log.DelayedPublishFailed(envelope.Name, envelope.Id, exception);
            return;
        }
        catch (PublishException exception)
        {
            // Accepted while somebody listened. Keeping it would bring it back for ever.
            log.DelayedWithoutSubscriber(envelope.Name, envelope.Id, exception);
        }

        await store.RemoveAsync(envelope, stop);
    }
}
