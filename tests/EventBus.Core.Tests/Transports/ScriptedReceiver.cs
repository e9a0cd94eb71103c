using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>The receiver of a scripted subscription, which gets the deliveries of the script.</summary>
internal sealed class ScriptedReceiver(Action<ScriptedReceiver> leave) : Receiver
{
    private readonly Channel<Delivery> channel = Channel.CreateUnbounded<Delivery>();

    public override ChannelReader<Delivery> Deliveries => channel.Reader;

    public void Deliver(Delivery delivery) => channel.Writer.TryWrite(delivery);

    public override ValueTask StopIntakeAsync()
    {
        channel.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    public override ValueTask DisposeAsync()
    {
        leave(this);
        return StopIntakeAsync();
    }
}
