namespace EventBus.Proof;

/// <summary>The plan of a run of a <see cref="LedgerProof"/>.</summary>
/// <param name="Events">How many events are published.</param>
/// <param name="AtOnce">How many of them at once.</param>
/// <param name="Processes">How many processes consume them.</param>
/// <param name="Faults">The faults of these processes.</param>
/// <param name="StrikeAsync">The fault of the broker while the publisher works.</param>
internal sealed record LedgerPlan(int Events, int AtOnce, int Processes, Queue<Fault> Faults, Func<Publishing, Task> StrikeAsync)
{
    /// <summary>Runs when the processes are ready, before anything is published.</summary>
    public Func<Task> Before { get; init; } = () => Task.CompletedTask;
}
