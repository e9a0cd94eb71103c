namespace EventBus.Conformance;

/// <summary>What some events of parcels have in common.</summary>
internal interface IParcelEvent
{
    int Number { get; }
}
