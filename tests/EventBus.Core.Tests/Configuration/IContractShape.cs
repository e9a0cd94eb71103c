namespace EventBus;

/// <summary>A member type of which JSON does not say which class to create.</summary>
internal interface IContractShape
{
    int Width { get; }
}
