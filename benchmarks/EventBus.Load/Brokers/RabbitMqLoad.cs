using EventBus.Proof;

namespace EventBus.Load;

/// <summary>RabbitMQ with quorum queues: the bus against the raw client.</summary>
internal static class RabbitMqLoad
{
    private const double LeastRatio = 0.85;
    private const double MostTimes = 1.2;

    public static async Task<bool> RunAsync(bool isShort)
    {
        Console.WriteLine();
        if (!PrivateRabbitMq.IsInstalled)
        {
            return Figures.Bar(false, "RabbitMQ: rabbitmq-server is not installed");
        }

        using var folder = new ScratchFolder();
        await using var server = new PrivateRabbitMq(Path.Combine(folder.Path, "rabbitmq"));
        await server.StartAsync();
        var address = server.Address;
        Console.WriteLine($"RabbitMQ, a server of this program's own: quorum queues, persistent and mandatory; raw client: {RawRabbitMq.Window:N0} unconfirmed at most, prefetch {RawRabbitMq.Prefetch}; bus: {BusContender.Concurrency} handlers at once, else its defaults");
        var held = true;
        await using (var bus = await BusContender.StartAsync(UseBroker))
        await using (var raw = await RawRabbitMq.StartAsync(address))
        {
            var duel = new Duel(bus, raw, isShort ? 3 : 11);
            held &= await duel.InFlightAsync(isShort ? 5_000 : 30_000, LeastRatio);
            held &= await duel.ListAsync(isShort ? 5_000 : 30_000, LeastRatio);
            held &= await duel.LatencyAsync(isShort ? 300 : 2_000, MostTimes);
        }

        return held & await Backlog.RunAsync(UseBroker, isShort);

        void UseBroker(EventBusBuilder bus) => bus.UseRabbitMq(address);
    }
}
