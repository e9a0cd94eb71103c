using Checkout;
using Checkout.Demo;
using EventBus;

Settings settings;
try
{
    settings = Settings.Parse(args);
}
catch (ArgumentException exception)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return 2;
}

if (!settings.Serve)
{
    return await DemoSetup.RunAsync(settings, Build);
}

try
{
    // The default prefix, so that other programs find the events.
    await using var app = Build(settings.File, "eventbus");
    await app.RunAsync();
    return 0;
}
catch (EventBusException exception)
{
    // The log has it in full.
    await Console.Error.WriteLineAsync(settings.Explain(exception));
    return 1;
}

// Builds the shop. The file is the SQLite database, the prefix for keys in Redis.
WebApplication Build(string file, string prefix, Action<WebApplicationBuilder>? also = null)
{
    var builder = WebApplication.CreateBuilder(settings.Urls is { } urls ? ["--urls", urls] : []);
    builder.Services.AddShopBus(settings, file, prefix);
    builder.Services.AddShopServices(settings, file);
    builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
    builder.Services.AddProblemDetails().AddExceptionHandler<RefusalHandler>();
    builder.Services.AddMonitoring();
    builder.Services.ConfigureHttpJsonOptions(http => http.SerializerOptions.TypeInfoResolverChain.Insert(0, AppJson.Default));

    // A free port, unless --urls names one.
    if (builder.Configuration["urls"] is null)
    {
        builder.WebHost.UseUrls("http://127.0.0.1:0");
    }

    also?.Invoke(builder);
    var app = builder.Build();
    app.UseExceptionHandler();
    app.MapCheckout();
    app.MapDeadLetters();
    app.MapMonitoring();
    return app;
}
