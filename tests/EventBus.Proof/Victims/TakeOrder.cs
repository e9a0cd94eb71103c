namespace EventBus.Proof;

/// <summary>Starts a saga under the number of its event, however often that comes.</summary>
internal sealed class TakeOrder(ISagas sagas) : IEventHandler<ParcelOrdered>
{
    public Task HandleAsync(ParcelOrdered @event, EventContext context, CancellationToken cancellationToken) =>
        sagas.StartAsync(new Parcel(@event.Number), Numbers.ToId(@event.Number), cancellationToken);
}
