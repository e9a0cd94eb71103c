using Checkout;
using Checkout.Demo;
using EventBus;

var serve = args.Contains("--serve");
var builder = WebApplication.CreateBuilder([.. args.Where(arg => arg != "--serve")]);

builder.Services.AddEventBus(bus =>
{
    bus.UseInMemory();
    bus.UseJson(AppJson.Default);

    // Five subscriptions to one event: each has its own queue, its own failures and its own retries.
    // The first delay is short because this is a sample: 0.1 s, 0.6 s, 2.4 s. The default is 5 s, 30 s, 2 min.
    bus.Subscribe<OrderPlaced, SendReceipt>("receipt", s => s.Retry(3, TimeSpan.FromMilliseconds(100)));
    bus.Subscribe<OrderPlaced, ReserveStock>("stock");
    bus.Subscribe<OrderPlaced, RecordSale>("analytics");
    bus.Subscribe<OrderPlaced, AddLoyaltyPoints>("loyalty");
    bus.Subscribe<OrderPlaced, RefreshRecommendations>("recommendations");

    bus.AlertWith<PageTheOpsTeam>();
});

builder.Services.AddShopServices();
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
builder.Services.AddProblemDetails();
builder.Services.AddHealthChecks();
builder.Services.ConfigureHttpJsonOptions(http => http.SerializerOptions.TypeInfoResolverChain.Insert(0, AppJson.Default));

// A free port, unless --urls names one.
if (builder.Configuration["urls"] is null)
{
    builder.WebHost.UseUrls("http://127.0.0.1:0");
}

if (!serve)
{
    builder.AddDemo();
}

await using var app = builder.Build();
app.UseExceptionHandler();
app.MapCheckout();
app.MapDeadLetters();
app.MapHealthChecks("/health");

if (!serve)
{
    return await app.RunDemoAsync();
}

await app.RunAsync();
return 0;
