namespace EventBus.Proof;

/// <summary>Starts a saga whose id is the number of the event, so that a copy of the event starts none.</summary>
internal sealed class TakeOrder(ISagas sagas) : IEventHandler<ParcelOrdered>
{
    public Task HandleAsync(ParcelOrdered @event, EventContext context, CancellationToken cancellationToken) =>
        sagas.StartAsync(new Parcel(@event.Number), Numbers.ToId(@event.Number), cancellationToken);
}
