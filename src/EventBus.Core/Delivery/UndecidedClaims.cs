using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Tracks the claims of interrupted entries that have neither begun an attempt nor been released. In a queue of a
/// broker such a claim counts as an attempt if the process ends. Thread-safe.
/// </summary>
internal sealed class UndecidedClaims
{
    private readonly Lock sync = new();

    // The numbers of the claims.
    private readonly HashSet<long> claims = [];
    private int calls;
    private TaskCompletionSource? none;

    /// <summary>Begins a call of the store that claims entries.</summary>
    public void BeginCall()
    {
        lock (sync)
        {
            calls++;
        }
    }

    /// <summary>Ends a call of the store.</summary>
    /// <param name="claimed">The entries that it claimed.</param>
    public void EndCall(IReadOnlyList<FailedEvent> claimed)
    {
        lock (sync)
        {
            calls--;
            claims.UnionWith(claimed.Where(entry => entry.WasInterrupted).Select(entry => entry.Claim));
            SignalLocked();
        }
    }

    /// <summary>Declares that an entry has begun its attempt, was released, or is settled.</summary>
    public void Decide(FailedEvent entry)
    {
        lock (sync)
        {
            if (claims.Remove(entry.Claim))
            {
                SignalLocked();
            }
        }
    }

    /// <summary>Completes when no claim is undecided.</summary>
    public Task WhenNoneAsync()
    {
        lock (sync)
        {
            none ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var task = none.Task;
            SignalLocked();
            return task;
        }
    }

    private void SignalLocked()
    {
        if (calls == 0 && claims.Count == 0)
        {
            none?.SetResult();
            none = null;
        }
    }
}
