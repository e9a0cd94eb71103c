using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TripBooking;
using TripBooking.Demo;

try
{
    return await DemoSetup.RunAsync(Settings.Parse(args), Build);
}
catch (ArgumentException exception)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return 2;
}

// Builds the travel agency. The folder holds the files that must outlive the process.
static IHost Build(Settings settings, string folder, Action<Moment> show)
{
    var builder = Host.CreateApplicationBuilder();
    builder.Logging.ClearProviders();
    builder.Services.AddAgencyBus(settings, folder);
    builder.Services.AddSingleton(TimeProvider.System);
    builder.Services.AddSingleton(new Timeline(TimeProvider.System, show));
    builder.Services.AddSingleton(new OutsideWorld(folder));
    builder.Services.AddSingleton<FlightService>().AddSingleton<HotelService>().AddSingleton<PaymentService>().AddSingleton<MailService>();
    return builder.Build();
}
