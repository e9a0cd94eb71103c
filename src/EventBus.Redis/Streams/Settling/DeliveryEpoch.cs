namespace EventBus;

/// <summary>
/// Represents an epoch of an ordered subscription: a period of uninterrupted delivery under one token of the lease.
/// Thread-safe.
/// </summary>
internal sealed class DeliveryEpoch(string token)
{
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The fencing token of the lease.</summary>
    public string Token => token;

    /// <summary>Completes when the epoch has ended.</summary>
    public Task Ended => ended.Task;

    public void End() => ended.TrySetResult();
}
