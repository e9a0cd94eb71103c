using System.Globalization;
using System.Text;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>
/// Provides the steps that the scenarios of the transport interface share. They open a subscription, and send and read
/// events, each of which has a number.
/// </summary>
internal static class TransportSteps
{
    private const string IdPrefix = "number-";

    /// <summary>Creates a subscription to the numbered events.</summary>
    public static Subscription CreateSubscription(string name) => new(name, [EventPattern.Parse(ParcelSent.EventName)]);

    /// <summary>Starts a transport with one subscription, and opens the subscription.</summary>
    public static async Task<(Transport Transport, Receiver Receiver)> OpenAsync(this TransportRun run, Subscription subscription)
    {
        var transport = await run.StartTransportAsync(subscription);
        return (transport, await run.SubscribeAsync(transport, subscription));
    }

    /// <summary>Sends the event of a number, and expects that it is accepted.</summary>
    public static async Task SendAsync(this Transport transport, int number)
    {
        using var deadline = new CancellationTokenSource(Expect.DefaultTimeout, TimeProvider.System);
        var outcomes = new PublishOutcome[1];
        var attributes = new EnvelopeAttributes { Id = $"{IdPrefix}{number}", Name = ParcelSent.EventName, Key = "one" };
        await transport.PublishAsync(
            new[] { new Envelope(attributes, Encoding.UTF8.GetBytes($$"""{"number":{{number}}}""")) },
            outcomes,
            deadline.Token);
        Expect.Equal(PublishStatus.Accepted, outcomes[0].Status, $"the outcome of a publish ({outcomes[0].Error?.Message})");
    }

    /// <summary>Reads the next delivery, and fails after the default timeout.</summary>
    public static async Task<Delivery> ReadAsync(this Receiver receiver)
    {
        using var deadline = new CancellationTokenSource(Expect.DefaultTimeout, TimeProvider.System);
        try
        {
            return await receiver.Deliveries.ReadAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            throw Expect.Failure($"a delivery within {Expect.DefaultTimeout.TotalSeconds} s", "none");
        }
    }

    /// <summary>Returns the number of the delivered event.</summary>
    public static int GetNumber(this Delivery delivery) =>
        int.Parse(delivery.Envelope.Id[IdPrefix.Length..], CultureInfo.InvariantCulture);
}
