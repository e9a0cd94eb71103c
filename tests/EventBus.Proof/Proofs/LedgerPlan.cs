namespace EventBus.Proof;

/// <summary>The plan of a run of a <see cref="LedgerProof"/>.</summary>
/// <param name="Events">The number of published events.</param>
/// <param name="AtOnce">The maximum number of concurrent publishes.</param>
/// <param name="Processes">The number of consuming processes.</param>
/// <param name="Faults">The faults of these processes.</param>
/// <param name="StrikeAsync">The fault of the broker while the publisher works.</param>
internal sealed record LedgerPlan(int Events, int AtOnce, int Processes, Queue<Fault> Faults, Func<Publishing, Task> StrikeAsync)
{
    /// <summary>Runs when the processes are ready, before the first publish.</summary>
    public Func<Task> Before { get; init; } = () => Task.CompletedTask;
}
