namespace EventBus;

/// <summary>
/// Represents an epoch of an ordered subscription (<see cref="OrderedEntrySettler"/>) under one token of the lease. If
/// the epoch continues under a new token, a new object represents it, and <see cref="Ended"/> of the old one never
/// completes. Thread-safe.
/// </summary>
internal sealed class DeliveryEpoch(string token)
{
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The fencing token of the lease.</summary>
    public string Token => token;

    /// <summary>Completes when the epoch has ended.</summary>
    public Task Ended => ended.Task;

    /// <summary>Completes <see cref="Ended"/>.</summary>
    public void End() => ended.TrySetResult();
}
