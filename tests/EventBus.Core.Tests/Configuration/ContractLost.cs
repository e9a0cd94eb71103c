namespace EventBus;

/// <summary>An event whose data JSON loses.</summary>
internal sealed class ContractLost
{
    public int Amount = 1;

    public int Total { get; private set; } = 2;

    public Guid Id { get; } = Guid.Empty;
}
