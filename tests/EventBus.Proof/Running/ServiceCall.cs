namespace EventBus.Proof;

/// <summary>One line of the ledger; the lines have one order, whichever process wrote them.</summary>
internal sealed record ServiceCall(ServiceMark Mark, long Saga, string Step, bool IsUndo, string Key, long Fence)
{
    public int Process { get; init; } = Environment.ProcessId;
}
