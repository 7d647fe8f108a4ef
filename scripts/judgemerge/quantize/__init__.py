"""4-bit models: conversion, quantization, deployment."""
