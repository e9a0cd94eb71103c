namespace EventBus.Proof;

/// <summary>A line of the ledger. The lines of all processes have one order.</summary>
internal sealed record ServiceCall(ServiceMark Mark, long Saga, string Step, bool IsUndo, string Key, long Fence)
{
    public int Process { get; init; } = Environment.ProcessId;
}
