namespace TripBooking;

/// <summary>
/// Simulates a remote service that takes some time and reports its work. Like a real service must,
/// <see cref="OutsideWorld"/> does nothing twice with the same idempotency key.
/// </summary>
public abstract class RemoteService(string name, OutsideWorld world, TimeProvider time, Timeline timeline)
{
    private static readonly TimeSpan Takes = TimeSpan.FromMilliseconds(100);

    protected async Task<string> DoAsync(string trip, string key, string done, CancellationToken cancellationToken)
    {
        await Task.Delay(Takes, time, cancellationToken);
        var answer = world.Do(name, trip, key);
        Say(answer.IsRepeated ? $"{answer.Code}: {done} already" : $"{answer.Code}: {done}", key);
        return answer.Code;
    }

    protected async Task UndoAsync(string trip, string key, string undone, CancellationToken cancellationToken)
    {
        await Task.Delay(Takes, time, cancellationToken);
        var answer = world.Undo(name, trip, key);
        Say(answer.IsRepeated ? $"{answer.Code}: {undone} already"
            : answer.HadEffect ? $"{answer.Code}: {undone}"
            : "there was nothing to undo", key);
    }

    protected void Say(string text, string key) => timeline.Add(name, text, key);

    /// <summary>Completes only when the token is cancelled.</summary>
    protected Task NeverAsync(CancellationToken cancellationToken) => Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
}
