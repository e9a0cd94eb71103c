using System.Diagnostics;
using System.Threading.Channels;
using EventBus;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

var subs = int.Parse(args.ElementAtOrDefault(0) ?? "1"); var n = int.Parse(args.ElementAtOrDefault(1) ?? "3000000");
var events = Enumerable.Range(0, 1024).Select(i => new OrderPlaced(Guid.NewGuid(), "o" + i, "u" + i, i, i)).ToArray();
for (var r = 0; r < 5; r++) { await Raw(); await Bus(); }
async Task Raw()
{
    var counters = new long[subs * 16];
    var chans = Enumerable.Range(0, subs).Select(_ => Channel.CreateBounded<OrderPlaced>(new BoundedChannelOptions(1024) { SingleReader = true })).ToArray();
    var readers = chans.Select((c, i) => Task.Run(async () => { while (await c.Reader.WaitToReadAsync()) while (c.Reader.TryRead(out var e)) Interlocked.Increment(ref counters[i * 16]); })).ToArray();
    var a0 = GC.GetTotalAllocatedBytes(); var sw = Stopwatch.StartNew();
    for (var i = 0; i < n; i++) { foreach (var c in chans) { if (!c.Writer.TryWrite(events[i & 1023])) await c.Writer.WriteAsync(events[i & 1023]); } }
    foreach (var c in chans) c.Writer.Complete();
    await Task.WhenAll(readers);
    Console.WriteLine($"raw  {n / sw.Elapsed.TotalSeconds / 1e6:0.00} M/s {(GC.GetTotalAllocatedBytes() - a0) / (double)n:0} B");
}
async Task Bus()
{
    var b = Host.CreateEmptyApplicationBuilder(null);
    b.Services.AddSingleton(new Counter(n));
    b.Services.AddSingleton<Handler>();
    b.Services.AddEventBus(bus => { bus.UseInMemory(o => o.Capacity = 1024); for (var i = 0; i < subs; i++) bus.Subscribe<OrderPlaced, Handler>("s" + i); });
    using var host = b.Build(); await host.StartAsync();
    var eb = host.Services.GetRequiredService<IEventBus>();
    var a0 = GC.GetTotalAllocatedBytes(); var sw = Stopwatch.StartNew();
    for (var i = 0; i < n; i++) await eb.PublishAsync(events[i & 1023]);
    await eb.WhenIdleAsync(TimeSpan.FromMinutes(1));
    Console.WriteLine($"bus  {n / sw.Elapsed.TotalSeconds / 1e6:0.00} M/s {(GC.GetTotalAllocatedBytes() - a0) / (double)n:0} B  handled {host.Services.GetRequiredService<Counter>().N}");
    await host.StopAsync();
}
public sealed class Counter(long n) { public long Target = n; public long N; }
public sealed class Handler(Counter c) : IEventHandler<OrderPlaced> { public Task HandleAsync(OrderPlaced e, EventContext x, CancellationToken t) { Interlocked.Increment(ref c.N); return Task.CompletedTask; } }
public sealed record OrderPlaced(Guid Id, string OrderId, string UserId, decimal Total, long Timestamp);
