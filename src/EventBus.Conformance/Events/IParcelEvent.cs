namespace EventBus.Conformance;

/// <summary>The common interface of some parcel events.</summary>
internal interface IParcelEvent
{
    int Number { get; }
}
