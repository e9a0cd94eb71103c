using EventBus.Transports;

namespace EventBus;

/// <summary>Settles a message that was taken from a queue. Does not throw errors of the broker.</summary>
internal sealed class PulledMessageSettler(PulledMessage pulled) : IDeliverySettler
{
    public ValueTask AckAsync(in Delivery delivery) => SettleAsync(pulled.AckAsync());

    public ValueTask ReleaseAsync(in Delivery delivery) => SettleAsync(pulled.ReleaseAsync());

    // A message that could not be settled is delivered again.
    private static async ValueTask SettleAsync(Task settling) => await settling.Quietly();
}
