using EventBus.Stores;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus;

/// <summary>Keeps the keys of handled events until the process ends.</summary>
/// <param name="capacity">The maximum number of keys per subscription.</param>
/// <param name="log">The log for shortages; null for none.</param>
internal sealed class InMemoryProcessedEventStore(int capacity, ILogger? log = null) : LocalProcessedEventStore
{
    // A claim whose lease ended this long ago is removed: no delivery of the event takes it over.
    private static readonly TimeSpan AbandonedAfter = TimeSpan.FromDays(1);

    private readonly Lock gate = new();
    private readonly Dictionary<string, ProcessedTable> tables = new(StringComparer.Ordinal);

    // Completed when the claim of the key has ended, for deliveries of the same event that wait for that.
    private readonly Dictionary<ProcessedKey, TaskCompletionSource> settledSignals = [];

    // When a table is full, new keys are refused. Evicting a key before its time would allow a duplicate to be handled.
    private readonly StoreCapacity limit = new("handled events", "Shorten its retention", capacity, log ?? NullLogger.Instance);

    // The subscription of the previous call, which is usually the subscription of the next one.
    private string? lastSubscription;
    private ProcessedTable lastTable = new();

    // All keys share one sequence, so that a key that is claimed again after a release gets a higher fencing token.
    private long lastFencingToken;

    // With this number of keys, the next key begins a shortage. TryClaim leaves it to ClaimAsync, which logs that.
    private int CheckBeforeShortage => limit.ShortFrom - 1;

    public override bool TryClaim(in ProcessedKey key, out long fencingToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            if (table.Count >= table.CheckFrom || !table.TryAdd(key, out var index))
            {
                fencingToken = 0;
                return false;
            }

            fencingToken = Claim(table, index, DateTimeOffset.MaxValue);
            return true;
        }
    }

    public override void Complete(in ProcessedKey key, long fencingToken, DateTimeOffset keepUntil)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var index = table.Find(key, fencingToken);
            if (index >= 0 && !table[index].IsDone)
            {
                table[index].SetDone(keepUntil.UtcTicks);
                table.LetExpire(index);
                SignalSettled(key);
            }
        }
    }

    public override long FencingTokenOf(in ProcessedKey key)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var index = table.Find(key);
            return index >= 0 ? table[index].FencingToken : 0;
        }
    }

    public override Task WhenSettledAsync(ProcessedKey key, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var index = table.Find(key);
            if (index < 0 || table[index].IsDone)
            {
                return Task.CompletedTask;
            }

            if (!settledSignals.TryGetValue(key, out var settled))
            {
                settled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                settledSignals.Add(key, settled);
            }

            return settled.Task.WaitAsync(cancellationToken);
        }
    }

    public override ValueTask<ProcessedClaim> ClaimAsync(
        ProcessedKey key, long fingerprint, DateTimeOffset now, TimeSpan lease, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var index = table.Find(key);
            if (index >= 0 && (table[index].IsDone || table[index].Until > now.UtcTicks))
            {
                var details = table.DetailsOf(index);
                return ValueTask.FromResult(new ProcessedClaim(
                    table[index].IsDone ? ProcessedState.Done : ProcessedState.InProgress,
                    0,
                    details?.Fingerprint ?? 0,
                    details?.Outbox ?? []));
            }

            if (index < 0)
            {
                CheckRoom(key.Subscription, table);
                table.TryAdd(key, out index);
            }

            table.SetDetails(index, fingerprint, []);
            return ValueTask.FromResult(new ProcessedClaim(ProcessedState.New, Claim(table, index, now + lease), fingerprint, []));
        }
    }

    public override ValueTask<bool> RenewAsync(
        ProcessedKey key, long fencingToken, DateTimeOffset until, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var index = table.Find(key, fencingToken);
            var isClaimed = index >= 0 && !table[index].IsDone;
            if (isClaimed)
            {
                table[index].Until = until.UtcTicks;
            }

            return ValueTask.FromResult(isClaimed);
        }
    }

    public override ValueTask<bool> CompleteAsync(
        ProcessedKey key, long fencingToken, Completion completion, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var index = table.Find(key, fencingToken);
            if (index >= 0 && !table[index].IsDone)
            {
                table[index].SetDone(completion.KeepUntil.UtcTicks);
                if (completion.Outbox.Count > 0)
                {
                    // The mark does not expire before MarkDispatchedAsync: its events must be sent first.
                    table.SetDetails(index, table.DetailsOf(index)?.Fingerprint ?? 0, completion.Outbox);
                }
                else
                {
                    table.LetExpire(index);
                }

                SignalSettled(key);
            }

            // True also if the key was done already: a repeated call returns the same result as the first one.
            return ValueTask.FromResult(index >= 0);
        }
    }

    public override ValueTask MarkDispatchedAsync(ProcessedKey key, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var index = table.Find(key);
            if (index >= 0 && table[index].IsDone && table.DetailsOf(index) is { Outbox.Count: > 0 } details)
            {
                table.SetDetails(index, details.Fingerprint, []);
                table.LetExpire(index);
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask ReleaseAsync(ProcessedKey key, long fencingToken, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var table = TableOf(key.Subscription);
            var index = table.Find(key, fencingToken);
            if (index >= 0 && !table[index].IsDone)
            {
                table.Remove(index);
                EndShortage(table);
                SignalSettled(key);
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
                while (removed < max && table.FirstToExpire >= 0 && table[table.FirstToExpire].Until <= now.UtcTicks)
                {
                    table.RemoveFirstToExpire();
                    removed++;
                }

                var abandonedBefore = (now - AbandonedAfter).UtcTicks;
                var abandoned = table.Claimed().Where(index => table[index].Until <= abandonedBefore).Take(max - removed).ToList();
                foreach (var index in abandoned)
                {
                    table.Remove(index);
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

    private ProcessedTable TableOf(string subscription)
    {
        if (!ReferenceEquals(subscription, lastSubscription))
        {
            if (!tables.TryGetValue(subscription, out var table))
            {
                table = new ProcessedTable { CheckFrom = CheckBeforeShortage };
                tables.Add(subscription, table);
            }

            lastSubscription = subscription;
            lastTable = table;
        }

        return lastTable;
    }

    private long Claim(ProcessedTable table, int index, DateTimeOffset until)
    {
        lastFencingToken++;
        ref var entry = ref table[index];
        entry.FencingToken = lastFencingToken;
        entry.Until = until.UtcTicks;
        return lastFencingToken;
    }

    /// <summary>Checks that there is room for one more key, and logs the beginning of a shortage once.</summary>
    private void CheckRoom(string subscription, ProcessedTable table)
    {
        if (table.Count >= table.CheckFrom)
        {
            var isShortageLogged = table.CheckFrom == capacity;
            limit.CheckRoom(subscription, table.Count, ref isShortageLogged);
            table.CheckFrom = capacity;
        }
    }

    private void EndShortage(ProcessedTable table)
    {
        if (table.Count < limit.ShortageEndsBelow)
        {
            table.CheckFrom = CheckBeforeShortage;
        }
    }

    private void SignalSettled(in ProcessedKey key)
    {
        if (settledSignals.Count > 0 && settledSignals.Remove(key, out var settled))
        {
            settled.SetResult();
        }
    }
}
