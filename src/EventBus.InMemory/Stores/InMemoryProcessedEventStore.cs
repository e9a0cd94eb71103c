using EventBus.Stores;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus;

/// <summary>Keeps the keys of handled events until the process ends.</summary>
/// <param name="capacity">The maximum number of keys per subscription.</param>
/// <param name="log">The log for shortages; null for none.</param>
internal sealed class InMemoryProcessedEventStore(int capacity, ILogger? log = null) : LocalProcessedEventStore
{
    // A claim whose lease ended this long ago is removed: no instance will take it over.
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(1);

    private readonly Lock gate = new();
    private readonly Dictionary<string, ProcessedTable> tables = new(StringComparer.Ordinal);
    private readonly Dictionary<ProcessedKey, TaskCompletionSource> waiting = [];

    // When it is full, new keys are refused. Evicting a key before its time would allow a duplicate to be handled.
    private readonly StoreCapacity limit = new("handled events", "Shorten its retention", capacity, log ?? NullLogger.Instance);

    // The subscription of the previous call, which is usually the subscription of the next one.
    private string? lastSubscription;
    private ProcessedTable lastTable = new();

    // All keys share one sequence of numbers, so that a key that is claimed again after a release gets a higher fencing
    // token.
    private long fencingTokens;

    // From this number of keys on, a claim takes the slow path (ClaimAsync), which logs the shortage.
    private int FirstLimit => limit.ShortFrom - 1;

    public override bool TryClaim(in ProcessedKey key, out long fencingToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            if (table.Count >= table.Limit || !table.TryAdd(key, out var place))
            {
                fencingToken = 0;
                return false;
            }

            fencingToken = Claim(table, place, DateTimeOffset.MaxValue);
            return true;
        }
    }

    public override void Complete(in ProcessedKey key, long fencingToken, DateTimeOffset keepUntil)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var place = Find(table, key, fencingToken);
            if (place >= 0 && !table[place].IsDone)
            {
                table[place].SetDone(keepUntil.UtcTicks);
                table.ForgetLater(place);
                Complete(key);
            }
        }
    }

    public override long FencingTokenOf(in ProcessedKey key)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var place = table.Find(key);
            return place >= 0 ? table[place].FencingToken : 0;
        }
    }

    public override Task WhenSettledAsync(ProcessedKey key, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var place = table.Find(key);
            if (place < 0 || table[place].IsDone)
            {
                return Task.CompletedTask;
            }

            if (!waiting.TryGetValue(key, out var settled))
            {
                settled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                waiting.Add(key, settled);
            }

            return settled.Task.WaitAsync(cancellationToken);
        }
    }

    public override ValueTask<ProcessedClaim> ClaimAsync(
        ProcessedKey key,
        long fingerprint,
        DateTimeOffset now,
        TimeSpan lease,
        CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var place = table.Find(key);
            if (place >= 0 && table[place] is { } there && (there.IsDone || there.Until > now.UtcTicks))
            {
                return ValueTask.FromResult(new ProcessedClaim(
                    there.IsDone ? ProcessedState.Done : ProcessedState.InProgress,
                    0,
                    table.RestOf(place)?.Fingerprint ?? 0,
                    table.RestOf(place)?.Outbox ?? []));
            }

            if (place < 0)
            {
                if (table.Count >= table.Limit)
                {
                    var isShort = table.Limit == capacity;
                    limit.Check(key.Subscription, table.Count, ref isShort);
                    table.Limit = capacity;
                }

                table.TryAdd(key, out place);
            }

            table.SetRest(place, fingerprint, []);
            return ValueTask.FromResult(new ProcessedClaim(ProcessedState.New, Claim(table, place, now + lease), fingerprint, []));
        }
    }

    public override ValueTask<bool> RenewAsync(
        ProcessedKey key, long fencingToken, DateTimeOffset until, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var place = Find(table, key, fencingToken);
            var holds = place >= 0 && !table[place].IsDone;
            if (holds)
            {
                table[place].Until = until.UtcTicks;
            }

            return ValueTask.FromResult(holds);
        }
    }

    public override ValueTask<bool> CompleteAsync(
        ProcessedKey key, long fencingToken, Completion completion, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var place = Find(table, key, fencingToken);
            if (place >= 0 && !table[place].IsDone)
            {
                table[place].SetDone(completion.KeepUntil.UtcTicks);
                if (completion.Outbox.Count > 0)
                {
                    table.SetRest(place, table.RestOf(place)?.Fingerprint ?? 0, completion.Outbox);
                }
                else
                {
                    table.ForgetLater(place);
                }

                Complete(key);
            }

            // The key is done already: the repeat of a call returns the same result as the first call.
            return ValueTask.FromResult(place >= 0);
        }
    }

    public override ValueTask MarkDispatchedAsync(ProcessedKey key, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var place = table.Find(key);
            if (place >= 0 && table[place].IsDone && table.RestOf(place) is { Outbox.Count: > 0 } rest)
            {
                table.SetRest(place, rest.Fingerprint, []);
                table.ForgetLater(place);
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask ReleaseAsync(ProcessedKey key, long fencingToken, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var place = Find(table, key, fencingToken);
            if (place >= 0 && !table[place].IsDone)
            {
                table.Remove(place);
                EndShortage(table);
                Complete(key);
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var removed = 0;
            foreach (var table in tables.Values)
            {
                while (removed < max && table.Oldest >= 0 && table[table.Oldest].Until <= now.UtcTicks)
                {
                    table.ForgetOldest();
                    removed++;
                }

                foreach (var place in table.Claimed()
                    .Where(place => table[place].Until <= (now - Abandoned).UtcTicks)
                    .Take(max - removed)
                    .ToList())
                {
                    table.Remove(place);
                    removed++;
                }

                EndShortage(table);
            }

            return ValueTask.FromResult(removed);
        }
    }

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(tables.Values.Sum(table => (long)table.Count));
        }
    }

    /// <summary>Describes the subscriptions that are short of room.</summary>
    public IReadOnlyCollection<string> Shortages()
    {
        lock (gate)
        {
            return [.. tables.Where(table => table.Value.Count >= limit.ShortFrom)
                .Select(table => limit.Describe(table.Key, table.Value.Count))];
        }
    }

    private static int Find(ProcessedTable table, in ProcessedKey key, long fencingToken)
    {
        var place = table.Find(key);
        return place >= 0 && table[place].FencingToken == fencingToken ? place : -1;
    }

    private ProcessedTable TableOf(string subscription)
    {
        if (!ReferenceEquals(subscription, lastSubscription))
        {
            if (!tables.TryGetValue(subscription, out var table))
            {
                tables.Add(subscription, table = new ProcessedTable { Limit = FirstLimit });
            }

            (lastSubscription, lastTable) = (subscription, table);
        }

        return lastTable;
    }

    private long Claim(ProcessedTable table, int place, DateTimeOffset until)
    {
        ref var claimed = ref table[place];
        (claimed.FencingToken, claimed.Until) = (++fencingTokens, until.UtcTicks);
        return fencingTokens;
    }

    private void EndShortage(ProcessedTable table)
    {
        if (table.Count < limit.EnoughBelow)
        {
            table.Limit = FirstLimit;
        }
    }

    private void Complete(in ProcessedKey key)
    {
        if (waiting.Count > 0 && waiting.Remove(key, out var settled))
        {
            settled.SetResult();
        }
    }
}
