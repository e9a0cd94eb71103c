using EventBus.Proof;
using StackExchange.Redis;

namespace EventBus.Load;

/// <summary>Redis Streams: the bus against the raw client.</summary>
internal static class RedisLoad
{
    private const double LeastRatio = 0.85;
    private const double MostTimes = 2;

    public static async Task<bool> RunAsync(bool isShort)
    {
        Console.WriteLine();
        using var folder = new ScratchFolder();
        await using var server = new PrivateRedis(Path.Combine(folder.Path, "redis"));
        await server.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");
        var settings = admin.GetServers()[0];

        // What the disk of the machine does is not what is compared.
        await settings.ConfigSetAsync("appendonly", "no");
        Console.WriteLine($"Redis Streams, a server of this program's own: appendonly {await ReadAsync("appendonly")}, save \"{await ReadAsync("save")}\"; raw client: reads of {RawRedis.Count} at most; bus: {BusContender.Concurrency} handlers at once, else its defaults");
        var held = true;
        await using (var bus = await BusContender.StartAsync(UseBroker))
        await using (var raw = await RawRedis.StartAsync(server.Address))
        {
            var duel = new Duel(bus, raw, isShort ? 3 : 11);
            held &= await duel.InFlightAsync(isShort ? 20_000 : 200_000, LeastRatio);

            // The bus sends a list as transactions, all or none of each; the raw client as single commands. So there is no bar.
            held &= await duel.ListAsync(isShort ? 20_000 : 200_000, null);
            held &= await duel.LatencyAsync(isShort ? 2_000 : 20_000, MostTimes);
        }

        return held & await Backlog.RunAsync(UseBroker, isShort);

        void UseBroker(EventBusBuilder bus) => bus.UseRedis(server.Address);

        async Task<string> ReadAsync(string name) => (await settings.ConfigGetAsync(name))[0].Value;
    }
}
