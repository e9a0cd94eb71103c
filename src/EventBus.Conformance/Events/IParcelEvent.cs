namespace EventBus.Conformance;

/// <summary>The interface of the events that a subscription to an interface receives.</summary>
internal interface IParcelEvent
{
    int Number { get; }
}
