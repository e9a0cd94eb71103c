using System.Collections.Concurrent;
using EventBus.Stores;

namespace EventBus;

/// <summary>One attempt to handle an event in an idempotent subscription.</summary>
internal sealed class EventClaim(
    ProcessedKey key, long fingerprint, WriteSubject subject, ConcurrentDictionary<string, Task> attempts) : IDisposable
{
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ProcessedKey Key => key;

    /// <summary>The fingerprint of the event's content; 0 if copies may differ.</summary>
    public long Fingerprint => fingerprint;

    public WriteSubject Subject => subject;

    /// <summary>The fencing token; 0 until the event is claimed.</summary>
    public long FencingToken { get; set; }

    /// <summary>Completes when the attempt has ended.</summary>
    public Task Ended => ended.Task;

    public void Dispose()
    {
        attempts.TryRemove(new KeyValuePair<string, Task>(key.Key, ended.Task));
        ended.TrySetResult();
    }
}
