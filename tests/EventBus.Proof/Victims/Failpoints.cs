using EventBus.Stores;

namespace EventBus.Proof;

/// <summary>The points at which a victim kills itself, once for each event.</summary>
internal enum Failpoint
{
    /// <summary>Nowhere.</summary>
    None,

    /// <summary>In the handler, before it has done anything.</summary>
    BeforeEffect,

    /// <summary>The handler has succeeded; nothing is committed or sent.</summary>
    BeforeCommit,

    /// <summary>Committed; nothing is sent.</summary>
    BeforeDispatch,

    /// <summary>What the handler published is sent; the store does not know yet.</summary>
    AfterDispatch,

    /// <summary>The store knows that all is sent; the event is not acknowledged.</summary>
    BeforeAcknowledge,
}

/// <summary>Kills the process at a named point of a given event, the first time it gets there in any process.</summary>
internal sealed class Executioner(string folder, Journal journal)
{
    private const string Extension = ".fired";

    /// <summary>
    /// The events whose point was reached, from the marks: a process may be killed for another event before it has
    /// recorded that it dies of this one.
    /// </summary>
    public static IEnumerable<long> Reached(string folder) =>
        Directory.EnumerateFiles(folder, $"*{Extension}").Select(path => long.Parse(Path.GetFileNameWithoutExtension(path)));

    public void At(Failpoint point, Failpoint planned, long number)
    {
        if (point == planned)
        {
            Kill($"{number}{Extension}", number, (long)point);
        }
    }

    /// <summary>Kills the process, unless one was killed under this name before.</summary>
    public void Kill(string name, long number, long point)
    {
        if (Mark(name))
        {
            journal.Write(Kind.Suicide, number, point, Environment.ProcessId);
            Native.KillSelf();
        }
    }

    /// <summary>Makes a mark: true for one process only, and false for all that follow.</summary>
    public bool Mark(string name)
    {
        try
        {
            using var mark = new FileStream(Path.Combine(folder, name), FileMode.CreateNew);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}

/// <summary>
/// A store of handled events that writes down each commit, and has something called before and after its steps.
/// </summary>
internal sealed class WatchedProcessedStore(ProcessedEventStore inner, Journal journal, Action<Failpoint, string> reached)
    : ProcessedEventStore
{
    public override bool SupportsTransactions => inner.SupportsTransactions;

    public override ValueTask<ProcessedClaim> ClaimAsync(
        ProcessedKey key,
        long fingerprint,
        DateTimeOffset now,
        TimeSpan lease,
        CancellationToken cancellationToken) =>
        inner.ClaimAsync(key, fingerprint, now, lease, cancellationToken);

    public override ValueTask<bool> RenewAsync(
        ProcessedKey key, long fencingToken, DateTimeOffset until, CancellationToken cancellationToken) =>
        inner.RenewAsync(key, fencingToken, until, cancellationToken);

    public override async ValueTask<bool> CompleteAsync(
        ProcessedKey key,
        long fencingToken,
        Completion completion,
        CancellationToken cancellationToken)
    {
        reached(Failpoint.BeforeCommit, key.Key);
        var committed = await inner.CompleteAsync(key, fencingToken, completion, cancellationToken);
        if (committed)
        {
            journal.Write(Kind.Commit, Numbers.Of(key.Key), fencingToken);
            reached(Failpoint.BeforeDispatch, key.Key);
        }

        return committed;
    }

    public override async ValueTask MarkDispatchedAsync(ProcessedKey key, CancellationToken cancellationToken)
    {
        reached(Failpoint.AfterDispatch, key.Key);
        await inner.MarkDispatchedAsync(key, cancellationToken);
        reached(Failpoint.BeforeAcknowledge, key.Key);
    }

    public override ValueTask ReleaseAsync(ProcessedKey key, long fencingToken, CancellationToken cancellationToken) =>
        inner.ReleaseAsync(key, fencingToken, cancellationToken);

    public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken) =>
        inner.SweepAsync(now, max, cancellationToken);

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);
}
