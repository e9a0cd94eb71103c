namespace EventBus;

/// <summary>An event with a member that cannot be read.</summary>
internal sealed record ContractBroken(IContractShape Shape);
