using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus;

/// <summary>Keeps the keys of handled events until the process ends.</summary>
/// <param name="capacity">The maximum number of keys per subscription.</param>
/// <param name="log">The log for shortages; null for none.</param>
internal sealed class InMemoryProcessedEventStore(int capacity, ILogger? log = null) : LocalProcessedEventStore
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, ProcessedClaims> claims = new(StringComparer.Ordinal);
    private readonly SettledSignals signals = new();
    private readonly FencingSequence tokens = new();

    // When a subscription has no more room, new keys are refused. Evicting a key before its time would allow a
    // duplicate to be handled.
    private readonly StoreCapacity limit = new("handled events", "Shorten its retention", capacity, log ?? NullLogger.Instance);

    // The subscription of the previous call, which is usually the subscription of the next one.
    private string? lastSubscription;
    private ProcessedClaims? lastClaims;

    public override bool TryClaim(in ProcessedKey key, out long fencingToken)
    {
        lock (gate)
        {
            return ClaimsOf(key.Subscription).TryClaim(key, out fencingToken);
        }
    }

    public override void Complete(in ProcessedKey key, long fencingToken, DateTimeOffset keepUntil)
    {
        lock (gate)
        {
            Complete(key, fencingToken, keepUntil, []);
        }
    }

    public override long FencingTokenOf(in ProcessedKey key)
    {
        lock (gate)
        {
            return ClaimsOf(key.Subscription).FencingTokenOf(key);
        }
    }

    public override Task WhenSettledAsync(ProcessedKey key, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ClaimsOf(key.Subscription).IsClaimed(key) ? signals.Wait(key).WaitAsync(cancellationToken) : Task.CompletedTask;
        }
    }

    public override ValueTask<ProcessedClaim> ClaimAsync(
        ProcessedKey key, long fingerprint, DateTimeOffset now, TimeSpan lease, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(ClaimsOf(key.Subscription).Claim(key, fingerprint, now, lease));
        }
    }

    public override ValueTask<bool> RenewAsync(
        ProcessedKey key, long fencingToken, DateTimeOffset until, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(ClaimsOf(key.Subscription).Renew(key, fencingToken, until));
        }
    }

    public override ValueTask<bool> CompleteAsync(
        ProcessedKey key, long fencingToken, Completion completion, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(Complete(key, fencingToken, completion.KeepUntil, completion.Outbox));
        }
    }

    public override ValueTask MarkDispatchedAsync(ProcessedKey key, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            ClaimsOf(key.Subscription).MarkDispatched(key);
            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask ReleaseAsync(ProcessedKey key, long fencingToken, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (ClaimsOf(key.Subscription).Release(key, fencingToken))
            {
                signals.Signal(key);
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var removed = 0;
            foreach (var subscription in claims.Values)
            {
                removed += subscription.Sweep(now, max - removed);
            }

            return ValueTask.FromResult(removed);
        }
    }

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(claims.Values.Sum(subscription => (long)subscription.Count));
        }
    }

    /// <summary>Describes the subscriptions that are short of room.</summary>
    public IReadOnlyCollection<string> Shortages()
    {
        lock (gate)
        {
            return [.. claims.Where(subscription => subscription.Value.Count >= limit.ShortFrom)
                .Select(subscription => limit.Describe(subscription.Key, subscription.Value.Count))];
        }
    }

    private ProcessedClaims ClaimsOf(string subscription)
    {
        if (lastClaims is null || !ReferenceEquals(subscription, lastSubscription))
        {
            if (!claims.TryGetValue(subscription, out var found))
            {
                found = new ProcessedClaims(limit, tokens);
                claims.Add(subscription, found);
            }

            lastSubscription = subscription;
            lastClaims = found;
        }

        return lastClaims;
    }

    private bool Complete(in ProcessedKey key, long fencingToken, DateTimeOffset keepUntil, IReadOnlyList<Envelope> outbox)
    {
        var isDone = ClaimsOf(key.Subscription).Complete(key, fencingToken, keepUntil, outbox);
        if (isDone)
        {
            signals.Signal(key);
        }

        return isDone;
    }
}
